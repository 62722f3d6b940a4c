/** `/second-login/`: what happens to the session table when a second person logs in, answered by doing it. */
import type { Context } from 'koa';
import { HASH_SESSION_KEY, login, type User } from '../index.js';
import { moment, shorten } from './format.js';
import { messages } from './i18n.js';
import type { Handler, Site } from './site.js';

export const SECOND_LOGIN_PATH = '/second-login/';
/** The session key of the report about the last login that went back to this page. */
const REPORT_SESSION_KEY = 'second_login';

/** A row of django_session as the page shows it: never a whole key, never a value. */
interface RowSummary {
  /** The start of the key; null when there was no row. */
  readonly key: string | null;
  readonly user: string | null;
  /** Names of what lies in the row, without those by which Django knows the user. */
  readonly members: readonly string[];
}

/** What a report keeps of the row before: what was in it stays with the person whose row it was. */
interface FormerRow {
  readonly key: string | null;
  /** null where nobody was logged in, and where it was somebody else. */
  readonly user: string | null;
  readonly count: number;
}

/** Names of members that the page shows at most. */
const SHOWN = 12;

const KINDS = ['anonymous', 'same', 'other'] as const;
interface Report {
  readonly kind: (typeof KINDS)[number];
  readonly before: FormerRow;
  /** Asked of the table after the login. */
  readonly oldRowExists: boolean;
}

/** Log in, and keep in the new session what became of the old row: no names of what lay in it, no other person's name. */
export async function loginWithReport(ctx: Context, user: User): Promise<void> {
  const { key, user: username, members } = summary(ctx);
  const oldKey = ctx.session.session_key;
  const kind = !ctx.user.is_authenticated ? 'anonymous' : ctx.user.id === user.id ? 'same' : 'other';
  await login(ctx, user);
  const oldRowExists = oldKey !== null && (await ctx.session.exists(oldKey));
  const before = { key, user: kind === 'same' ? username : null, count: members.length };
  const report: Report = { kind, before, oldRowExists };
  ctx.session.set(REPORT_SESSION_KEY, report);
}

export function secondLogin(site: Site): Handler {
  return async function secondLogin(ctx) {
    const language = site.pages.language(ctx);
    const m = messages(language);
    const now = summary(ctx);
    const kept = ctx.session.get(REPORT_SESSION_KEY);
    const report = now.key !== null && isReport(kept) ? kept : null;
    const explanations = {
      anonymous: m.second_case_anonymous,
      same: m.second_case_same,
      other: m.second_case_other,
    };
    await site.pages.render(ctx, 'second_login', {
      row:
        now.key === null
          ? null
          : {
              ...now,
              members: now.members.slice(0, SHOWN).map((name) => shorten(name, 40)),
              expires: moment(ctx.session.get_expiry_date(), language),
            },
      report,
      explanation: report === null ? null : explanations[report.kind],
    });
  };
}

function summary(ctx: Context): RowSummary {
  const { session, user } = ctx;
  const hidden = (name: string): boolean =>
    name.startsWith('_auth_user_') || name === HASH_SESSION_KEY || name === REPORT_SESSION_KEY;
  const members = session.keys().filter((name) => !hidden(name));
  return {
    key: session.session_key === null ? null : shorten(session.session_key),
    user: user.is_authenticated ? user.get_username() : null,
    members,
  };
}

/** A row may have been written by others: what is no report of ours is none. */
function isReport(value: unknown): value is Report {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, before, oldRowExists } = value as Partial<Record<keyof Report, unknown>>;
  if (!KINDS.some((known) => known === kind) || typeof oldRowExists !== 'boolean') return false;
  if (typeof before !== 'object' || before === null) return false;
  const { key, user, count } = before as Partial<Record<keyof FormerRow, unknown>>;
  const isTextOrNull = (text: unknown): boolean => text === null || typeof text === 'string';
  return isTextOrNull(key) && isTextOrNull(user) && Number.isSafeInteger(count) && Number(count) >= 0;
}
