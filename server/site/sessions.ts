/** `/sessions/`: the list of the user's sessions, with a button to end one, and one to end all others. */
import type { Context } from 'koa';
import { logout, readUserAgent, requestDeadline, type User, type UserSession, type UserSessions } from '../index.js';
import { type Moment, moment } from './format.js';
import { type Language, messages } from './i18n.js';
import type { Messages } from './messages/en.js';
import { notice } from './notices.js';
import type { Handler, Site } from './site.js';
import { userOrLogin } from './user_or_login.js';

export const SESSIONS_PATH = '/sessions/';
/** The maximum number shown; the button for all others also ends the rest. */
const SHOWN = 100;

interface ShownSession {
  readonly id: string;
  readonly title: string;
  readonly address: string;
  readonly begun: Moment;
  readonly last_seen: Moment;
  readonly isCurrent: boolean;
}

export function sessionsPage(site: Site, userSessions: UserSessions): Handler {
  return async function sessionsPage(ctx) {
    const user = userOrLogin(ctx);
    if (user === null) return;
    const language = site.pages.language(ctx);
    const all = await userSessions.sessionsOf(user, ctx.session, requestDeadline(ctx));
    // The current session first, for comparison with the others.
    const sorted = [...all.filter(({ isCurrent }) => isCurrent), ...all.filter(({ isCurrent }) => !isCurrent)];
    await site.pages.render(ctx, 'sessions', {
      sessions: await Promise.all(sorted.slice(0, SHOWN).map((session) => shown(session, language))),
      others: all.filter(({ isCurrent }) => !isCurrent).length,
      hidden: Math.max(0, all.length - SHOWN),
    });
  };
}

export function sessionsAction(site: Site, userSessions: UserSessions): Handler {
  return async function sessionsAction(ctx) {
    const user = userOrLogin(ctx);
    if (user === null) return;
    const m = messages(site.pages.language(ctx));
    const id = ctx.request.POST.get('end');
    if (id === undefined) {
      const ended = await userSessions.revokeOthers(user, ctx.session, requestDeadline(ctx));
      notice(ctx, m.sessions_ended(ended));
    } else await endOne(ctx, userSessions, { user, id, m });
    ctx.set('Cache-Control', 'no-store');
    if (!ctx.res.hasHeader('Location')) ctx.redirect(SESSIONS_PATH);
  };
}

/** Ending the current session is a logout. A session that is already gone counts as ended. */
async function endOne(
  ctx: Context,
  userSessions: UserSessions,
  { user, id, m }: { readonly user: User; readonly id: string; readonly m: Messages },
): Promise<void> {
  const deadline = requestDeadline(ctx);
  const all = await userSessions.sessionsOf(user, ctx.session, deadline);
  if (all.some((session) => session.isCurrent && session.id === id)) {
    await logout(ctx);
    notice(ctx, m.notice_logged_out);
    ctx.redirect('/index1/');
    return;
  }
  await userSessions.revoke(user, id, deadline);
  notice(ctx, m.sessions_ended(1));
}

async function shown(session: UserSession, language: Language): Promise<ShownSession> {
  const { id, address, isCurrent } = session;
  const m = messages(language);
  const { browser, system } = await readUserAgent(session.user_agent);
  return {
    id,
    title: m.sessions_browser(browser ?? m.sessions_unknown_browser, system),
    address: address === '' ? m.sessions_unknown_address : address,
    begun: moment(session.begun, language),
    last_seen: moment(session.last_seen, language),
    isCurrent,
  };
}
