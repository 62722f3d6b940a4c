/** Messages, byte for byte as Django 4.2, 5.2 and 6.1 keep them (vectors.json, which make_vectors.py makes). */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { unpack } from '../../server/signing/payload.js';
import { type Given, MessageBrowser, messageCookie, messageSite } from './site.js';

interface Vector {
  readonly name: string;
  readonly storage: string;
  readonly messages: readonly Given[];
  readonly cookie: string | null;
  readonly set_cookie: string | null;
  readonly session: string | null;
  readonly unstored: readonly string[];
  readonly shown: readonly unknown[];
  readonly set_cookie_after: readonly string[];
  readonly session_after: string | null;
}

const { SECRET_KEY, now, vectors } = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as {
  readonly SECRET_KEY: string;
  readonly now: number;
  readonly vectors: readonly Vector[];
};

/** The JSON text in a cookie: two builds of zlib may compress it to other bytes. */
const payload = (cookie: string): string => unpack(cookie.split(':')[0] ?? '');

const settings = {
  SECRET_KEY,
  SESSION_COOKIE_DOMAIN: 'example.com',
  SESSION_COOKIE_SECURE: true,
  MESSAGE_TAGS: { 50: 'critical' },
};

describe('messages as Django keeps them', () => {
  for (const vector of vectors) {
    const MESSAGE_STORAGE = vector.storage.replace('Storage', '').toLowerCase();

    describe(`${MESSAGE_STORAGE}: ${vector.name}`, () => {
      it('are kept in the same cookie and session', async () => {
        const server = messageSite({ settings: { ...settings, MESSAGE_STORAGE }, now: now + 0.5 });
        const browser = new MessageBrowser(server);
        const line = messageCookie(await browser.ask('/add/', vector.messages));
        const cookie = browser.cookies.get('messages') ?? null;
        if (vector.cookie === null || cookie === null) expect(cookie).to.equal(vector.cookie);
        else {
          expect(payload(cookie)).to.equal(payload(vector.cookie));
          if (!vector.cookie.startsWith('.')) expect(cookie).to.equal(vector.cookie);
          expect(line?.replace(cookie, 'VALUE')).to.equal(vector.set_cookie);
        }
        const { text } = await browser.ask('/session/');
        expect((JSON.parse(text) as { messages: unknown }).messages).to.equal(vector.session);
      });

      it('are shown the same, and removed the same', async () => {
        const server = messageSite({ settings: { ...settings, MESSAGE_STORAGE }, now: now + 0.5 });
        const browser = new MessageBrowser(server);
        // Where nothing is left in the session, Django's own cookie is read.
        if (vector.session === null && vector.cookie !== null) browser.cookies.set('messages', vector.cookie);
        else await browser.ask('/add/', vector.messages);
        const answer = await browser.ask('/show/');
        expect(JSON.parse(answer.text)).to.deep.equal(vector.shown);
        const lines = answer.set_cookie.map((line) => line.trim()).filter((line) => line.startsWith('messages='));
        expect(lines).to.deep.equal(vector.set_cookie_after);
        const { text } = await browser.ask('/session/');
        expect((JSON.parse(text) as { messages: unknown }).messages).to.equal(vector.session_after);
        expect(await browser.shown()).to.deep.equal([]);
      });
    });
  }
});
