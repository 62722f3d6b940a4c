/** `/second-login/`: shows the effect on the session table when a second person logs in. */
import type { Context } from 'koa';
import { HASH_SESSION_KEY, login, type User } from '../index.js';
import { moment, shorten } from './format.js';
import { messages } from './i18n.js';
import type { Handler, Site } from './site.js';

export const SECOND_LOGIN_PATH = '/second-login/';
/** The session key of the report about the last login from this page. */
const REPORT_SESSION_KEY = 'second_login';

/** A row of django_session as the page shows it: never a whole key, never a value. */
interface RowSummary {
  /** The start of the key; null when there was no row. */
  readonly key: string | null;
  readonly user: string | null;
  /** The keys in the row, except those of Django's login. */
  readonly members: readonly string[];
}

/** The part of the old row that the report contains: the data of the former user is not shown to the next. */
interface FormerRow {
  readonly key: string | null;
  /** null for an anonymous row, and for another user's. */
  readonly user: string | null;
  readonly count: number;
}

/** The maximum number of keys on the page. */
const SHOWN = 12;

const KINDS = ['anonymous', 'same', 'other'] as const;
interface Report {
  readonly kind: (typeof KINDS)[number];
  readonly before: FormerRow;
  /** Read from the table after the login. */
  readonly oldRowExists: boolean;
}

/**
 * Log in, and store a report about the old row in the new session, without its keys and without another user's name.
 */
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

/** Rows are untrusted: an invalid report is ignored. */
function isReport(value: unknown): value is Report {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, before, oldRowExists } = value as Partial<Record<keyof Report, unknown>>;
  if (!KINDS.some((known) => known === kind) || typeof oldRowExists !== 'boolean') return false;
  if (typeof before !== 'object' || before === null) return false;
  const { key, user, count } = before as Partial<Record<keyof FormerRow, unknown>>;
  const isTextOrNull = (text: unknown): boolean => text === null || typeof text === 'string';
  return isTextOrNull(key) && isTextOrNull(user) && Number.isSafeInteger(count) && Number(count) >= 0;
}
