/** All routes of the site. */
import Router, { type RouterContext } from '@koa/router';
import type { Middleware } from 'koa';
import { apiMe } from './api_me.js';
import { captchaPicture, captchaTask } from './captcha_picture.js';
import { goodPage, goodsList } from './goods.js';
import { index1, index2 } from './home.js';
import type { Lab } from './lab/index.js';
import { setLanguage } from './language.js';
import { lastVisit } from './last_visit.js';
import { loginAction, loginForm } from './login.js';
import { logoutAction } from './logout.js';
import { PASSWORD_PATH, passwordAction, passwordForm } from './password.js';
import { SECOND_LOGIN_PATH, secondLogin } from './second_login.js';
import { SESSIONS_PATH, sessionsAction, sessionsPage } from './sessions.js';
import type { Handler, Site } from './site.js';

/** As in Django's URLconf, paths are case-sensitive, and the trailing slash matters. */
export function routes(site: Site, lab: Lab | null): Middleware[] {
  const router = new Router({ strict: true, sensitive: true });
  const get = (path: string, handler: Handler): unknown => router.get(path, answer(handler));
  const post = (path: string, handler: Handler): unknown => router.post(path, answer(handler));

  get('/', (ctx) => ctx.redirect('/index1/'));
  get('/index1/', index1(site));
  get('/index2/', index2(site));
  get('/login/', loginForm(site));
  post('/login/', loginAction(site));
  post('/logout/', logoutAction(site));
  get('/captcha/', captchaPicture(site));
  post('/captcha/task/', captchaTask(site));
  get('/last-visit/', lastVisit(site));
  get('/goods/', goodsList(site));
  get('/goods/:id/', goodPage(site));
  get('/language/:code/', setLanguage(site));
  get('/api/me/', apiMe());
  get(PASSWORD_PATH, passwordForm(site));
  post(PASSWORD_PATH, passwordAction(site));
  if (site.userSessions !== null) {
    get(SESSIONS_PATH, sessionsPage(site, site.userSessions));
    post(SESSIONS_PATH, sessionsAction(site, site.userSessions));
  }
  if (lab !== null) {
    get(SECOND_LOGIN_PATH, secondLogin(site));
    get('/lab/', lab.page);
    post('/lab/', lab.step);
    post('/lab/api/', lab.api);
    get('/lab/explained/', lab.explained);
    get('/lab/explained/:chapter/', lab.chapter);
  }
  return [appendSlash(router), router.routes() as Middleware, router.allowedMethods() as Middleware];
}

function answer(handler: Handler): (ctx: RouterContext) => Promise<void> {
  return async (ctx) => {
    await handler(ctx, ctx.params);
  };
}

/** Django's APPEND_SLASH: redirects `/login` to `/login/` if only the latter is a route. */
function appendSlash(router: Router): Middleware {
  return async function appendSlash(ctx, next) {
    const isRead = ctx.method === 'GET' || ctx.method === 'HEAD';
    if (isRead && !ctx.path.endsWith('/') && router.match(`${ctx.path}/`, 'GET').route) {
      ctx.status = 301;
      ctx.redirect(`${ctx.path}/${ctx.search}`);
      return;
    }
    await next();
  };
}
