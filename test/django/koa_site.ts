/** A small Koa site on the library's cookie functions, for what the reference server has no page for. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import Koa from 'koa';
import { BadSignature, KeyError } from '../../server/errors.js';
import { installCookies } from '../../server/http/cookies.js';
import { defineSettings } from '../../server/settings.js';

export interface KoaSite {
  readonly url: string;
  close(): void;
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
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}
