import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { defineSettings } from 'koa-django-session';
import { Client, MemoryStore } from 'koa-django-session/testing';
import { createApp } from './uploads.js';

const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

describe('an upload form', () => {
  const settings = defineSettings({ SECRET_KEY: 'recipes' });
  let folder: string;
  let client: Client;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'recipes-'));
    const store = new MemoryStore();
    client = new Client(createApp(settings, store, folder), { settings, store });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function formOf(...files: readonly (readonly [bytes: Uint8Array, name: string])[]): FormData {
    const form = new FormData();
    for (const [bytes, name] of files) form.append('photo', new Blob([Uint8Array.from(bytes)]), name);
    return form;
  }

  it('keeps photos under names of its own, and the session knows them', async () => {
    const page = await client.post('/photos/', formOf([PNG, '../../.htaccess'], [PNG, 'b.png']), { follow: true });
    expect(page.text).to.contain('2 photos so far');
    const names = readdirSync(folder);
    expect((await client.session()).get('photos')).to.have.members(names);
    for (const name of names) {
      expect(name).to.match(/^[0-9a-f-]{36}\.png$/);
      expect(readFileSync(path.join(folder, name)).equals(PNG)).to.equal(true);
    }
  });

  it('keeps nothing of a form with a file that is no photo, whatever its name says', async () => {
    const page = await client.post('/photos/', formOf([PNG, 'a.png'], [Buffer.from('<script>'), 'b.png']));
    expect(page.status).to.equal(400);
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
