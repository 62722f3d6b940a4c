/** A small Koa site on the library's cookie functions, for what the reference server has no page for. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import Koa from 'koa';
import { connectKnex } from '../../server/db/knex.js';
import { BadSignature, KeyError } from '../../server/errors.js';
import { installCookies } from '../../server/http/cookies.js';
import { mark_safe, messages } from '../../server/messages/index.js';
import { sessions } from '../../server/session/middleware.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { defineSettings } from '../../server/settings.js';

export interface KoaSite {
  readonly url: string;
  close(): void;
}

/** Every path: POST leaves the messages of its body, GET shows those that wait, as `told` of site/views.py. */
export async function startMessageSite(values: Readonly<Record<string, string>>): Promise<KoaSite> {
  const { SECRET_KEY, MESSAGE_STORAGE, DATABASE_URL = '' } = values;
  const settings = defineSettings({ SECRET_KEY, MESSAGE_STORAGE });
  const knex = connectKnex(DATABASE_URL, { poolSize: 2 });
  const app = new Koa();
  app.use(sessions(app, { settings, store: new DatabaseStore(knex) }));
  app.use(messages(app, { settings, debug: false }));
  app.use(async (ctx) => {
    if (ctx.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
      type Given = readonly [number, string, string | null, boolean];
      for (const [level, text, extra_tags, safe] of JSON.parse(Buffer.concat(chunks).toString('utf8')) as Given[]) {
        messages.add_message(ctx, level, safe ? mark_safe(text) : text, { extra_tags });
      }
      ctx.body = {};
      return;
    }
    ctx.body = [...messages.get_messages(ctx)].map(({ level, message, extra_tags, safe, tags }) => [
      level,
      String(message),
      extra_tags,
      safe,
      tags,
    ]);
  });
  const site = await listen(app);
  return {
    url: site.url,
    close: () => {
      site.close();
      void knex.destroy();
    },
  };
}

/** `/cookies/` and `/signed-cookie/`, with the parameters and answers of site/views.py. */
export async function startKoaSite(values: Readonly<Record<string, string>>): Promise<KoaSite> {
  const settings = defineSettings({
    SECRET_KEY: values['SECRET_KEY'],
    SIGNED_COOKIE_SALT_VERSION: values['SIGNED_COOKIE_SALT_VERSION'],
  });
  const app = new Koa();
  app.silent = true;
  installCookies(app, { settings });
  app.use(async (ctx) => {
    if (ctx.path === '/cookies/') {
      ctx.body = [...ctx.request.COOKIES];
      return;
    }
    const salt = ctx.URL.searchParams.get('salt') ?? '';
    const value = ctx.URL.searchParams.get('set');
    if (value !== null) {
      ctx.response.set_signed_cookie('signed', value, { salt, max_age: 600 });
      ctx.body = {};
      return;
    }
    try {
      ctx.body = { value: ctx.request.get_signed_cookie('signed', { salt, max_age: 600 }) };
    } catch (error) {
      if (!(error instanceof BadSignature) && !(error instanceof KeyError)) throw error;
      ctx.body = { raises: error.name };
    }
  });
  return listen(app);
}

async function listen(app: Koa): Promise<KoaSite> {
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}
