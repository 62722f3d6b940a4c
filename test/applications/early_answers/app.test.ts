import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type Koa from 'koa';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Listening, listen } from '../support/server.js';
import { type Page, Visitor } from '../support/visitor.js';
import { createApp, WAYS } from './app.js';

const TEXT = 'one, two, three';

type Ask = (visitor: Visitor, address: string) => Promise<Page>;

for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
  describe(`answers that begin early, by ${protocol}`, () => {
    let database: ApplicationDatabase;
    let app: Koa;
    let site: Listening;
    let ask: Ask;
    let close: () => Promise<void>;
    let errors: unknown[] = [];
    let warnings: string[] = [];
    let done: (error: unknown) => void = () => {};

    before(async () => {
      database = await applicationDatabase();
      app = createApp({
        store: new DatabaseStore(database.knex),
        warn: (_details, message) => warnings.push(message),
        done: (error) => done(error),
      });
      app.on('error', (error) => errors.push(error));
      site = await listen(app);
      Object.assign(app, { url: site.url });
      ({ ask, close } = protocol === 'HTTP/1.1' ? { ask: http1, close: async () => {} } : await http2(app));
    });
    after(async () => {
      await close();
      await site.close();
      await database.drop();
    });
    beforeEach(() => {
      errors = [];
      warnings = [];
    });

    /** The answer, when the handlers are back too: the client may have it before. */
    async function go(visitor: Visitor, deeds: Readonly<Record<string, string>>): Promise<Page> {
      const back = new Promise<unknown>((resolve) => {
        done = resolve;
      });
      const page = await ask(visitor, `/way?${new URLSearchParams(deeds)}`);
      expect(await back, 'thrown').to.equal(undefined);
      return page;
    }
    const items = async (visitor: Visitor): Promise<unknown> => JSON.parse((await visitor.get('/')).text);

    it('outlives a body stream that fails while the session is being saved', async () => {
      const visitor = await Visitor.returning(site);
      const failed = await ask(visitor, '/failing-stream').then(
        ({ status }) => status >= 500,
        () => true,
      );
      expect(failed).to.equal(true);
      expect((await visitor.get('/')).status).to.equal(200);
    });

    for (const way of Object.keys(WAYS)) {
      describe(way, () => {
        for (const [before, after] of [
          ['read', 'nothing'],
          ['nothing', 'read'],
          ['read', 'read'],
        ] as const) {
          it(`is answered whole when the session is only read (${before} before, ${after} after it began)`, async () => {
            const visitor = await Visitor.returning(site);
            const page = await go(visitor, { way, before, after });
            expect([page.status, page.text]).to.deep.equal([200, TEXT]);
            if (before === 'read') expect(page.headers.vary).to.match(/\bCookie\b/);
            expect(page.set_cookie).to.deep.equal([]);
            expect([errors, warnings]).to.deep.equal([[], []]);
          });
        }

        for (const [before, after] of [
          ['change', 'nothing'],
          ['read', 'change'],
        ] as const) {
          it(`keeps a change of a session with a row (${before} before, ${after} after it began)`, async () => {
            const visitor = await Visitor.returning(site);
            const page = await go(visitor, { way, before, after });
            expect([page.status, page.text]).to.deep.equal([200, TEXT]);
            expect(await items(visitor)).to.deep.equal({ name: 'known', changed: true });
            expect([errors, warnings]).to.deep.equal([[], []]);
          });
        }

        for (const [before, after] of [
          ['change', 'nothing'],
          ['nothing', 'change'],
        ] as const) {
          it(`makes no row whose cookie nobody gets, and says so once (${before} before, ${after} after)`, async () => {
            const rows = await database.sessions();
            const page = await go(new Visitor(site), { way, before, after });
            expect([page.status, page.text, page.set_cookie]).to.deep.equal([200, TEXT, []]);
            expect(await database.sessions()).to.equal(rows);
            expect(warnings.length).to.equal(1);
            expect(warnings[0]).to.contain('commitSession');
          });
        }

        it('sets the cookie of a new session that was committed before it began, and keeps what changes after', async () => {
          const visitor = new Visitor(site);
          const page = await go(visitor, { way, before: 'commit', after: 'change' });
          expect([page.status, page.text, page.set_cookie.length]).to.deep.equal([200, TEXT, 1]);
          expect(await items(visitor)).to.deep.equal({ name: 'new', changed: true });
          expect([errors, warnings]).to.deep.equal([[], []]);
        });
      });
    }
  });
}

const http1: Ask = (visitor, address) => visitor.get(address);

/** A second door to the same application. */
async function http2(app: Koa): Promise<{ ask: Ask; close: () => Promise<void> }> {
  const callback = app.callback();
  const server = createServer((req, res) => {
    void (callback as unknown as (req: unknown, res: unknown) => Promise<void>)(req, res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    ask: async (visitor, address) => {
      const stream = client.request({ ':path': address, ...(visitor.cookie === '' ? {} : { cookie: visitor.cookie }) });
      stream.setEncoding('utf8').end();
      const response = once(stream, 'response');
      let text = '';
      stream.on('data', (chunk: string) => {
        text += chunk;
      });
      // A stream that is reset has no end.
      const end = once(stream, 'close');
      const [headers] = await response;
      await end;
      const set_cookie: string[] = headers['set-cookie'] ?? [];
      for (const line of set_cookie) visitor.cookies.set('sessionid', /^sessionid=(\w+)/.exec(line)?.[1] ?? '');
      return { status: headers[':status'], headers, set_cookie, text };
    },
    close: async () => {
      client.close();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
