/** `/logout/`: only by POST, so that a link or an image on another site cannot log out. */
import { logout } from '../index.js';
import { messages } from './i18n.js';
import { safeNext } from './next.js';
import { notice } from './notices.js';
import type { Handler, Site } from './site.js';

export function logoutAction(site: Site): Handler {
  return async function logoutAction(ctx) {
    await logout(ctx);
    notice(ctx, messages(site.pages.language(ctx)).notice_logged_out);
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(safeNext(ctx, ctx.request.POST.get('next'), '/index1/'));
  };
}
