/** `/logout/`: by POST only, so that no link and no picture on another site can do it. */
import { logout } from '../index.js';
import { safeNext } from './next.js';
import type { Handler } from './site.js';

export function logoutAction(): Handler {
  return async function logoutAction(ctx) {
    await logout(ctx);
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(safeNext(ctx, ctx.request.POST.get('next'), '/index1/'));
  };
}
