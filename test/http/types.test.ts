/** What TypeScript users get on ctx; this file is proved by `tsc`, and its names by running. */
import { expect } from 'chai';
import Koa from 'koa';
import { csrf } from '../../server/csrf/index.js';
import {
  type Cookies,
  installCookies,
  type MultiValueDict,
  type QueryDict,
  type UploadedFile,
} from '../../server/http/index.js';
import { settings } from './serve.js';

/** Compiles only where the types are the same, `any` excluded. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]): void {}

describe('types', () => {
  it('of ctx, request and response are those of Django', () => {
    const app = new Koa();
    installCookies(app, { settings: settings() });
    app.use(csrf(app, { settings: settings() }));
    app.use(async (ctx, next) => {
      same<typeof ctx.COOKIES, Cookies>();
      same<typeof ctx.request.COOKIES, Cookies>();
      same<typeof ctx.request.POST, QueryDict>();
      same<typeof ctx.request.FILES, MultiValueDict<UploadedFile>>();
      same<typeof ctx.csrf_token, string>();
      const signed = ctx.get_signed_cookie('a');
      same<typeof signed, string>();
      const orNull = ctx.request.get_signed_cookie('a', { default: null, salt: 's', max_age: { days: 1 } });
      same<typeof orNull, string | null>();
      ctx.set_cookie('a', 1, { max_age: 1, path: null, samesite: false });
      ctx.response.set_signed_cookie('a', 'b', { salt: 's', httponly: true });
      ctx.response.delete_cookie('a', { path: '/', domain: null, samesite: 'Lax' });
      // @ts-expect-error: Django's names only
      ctx.set_cookie('a', 'b', { maxAge: 1 });
      // @ts-expect-error: cookies are text
      ctx.set_cookie('a', {});
      // @ts-expect-error: read only
      ctx.request.COOKIES = new Map();
      await next();
    });
    expect(app.middleware).to.have.length(2);
    for (const name of [
      'COOKIES',
      'get_signed_cookie',
      'set_cookie',
      'set_signed_cookie',
      'delete_cookie',
      'csrf_token',
    ]) {
      expect(name in app.context, name).to.equal(true);
    }
  });
});
