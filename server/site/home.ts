/** `/index1/` and `/index2/`: two home pages that show the user of the session. */
import { moment } from './format.js';
import type { Handler, Site } from './site.js';

export function index1(site: Site): Handler {
  return async function index1(ctx) {
    await site.pages.render(ctx, 'index1');
  };
}

export function index2(site: Site): Handler {
  return async function index2(ctx) {
    const last = ctx.user.is_authenticated ? ctx.user.last_login : null;
    const last_login = last === null ? null : moment(last, site.pages.language(ctx));
    await site.pages.render(ctx, 'index2', { last_login });
  };
}
