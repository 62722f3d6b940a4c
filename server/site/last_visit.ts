/** `/last-visit/`: the last visit of this browser, by a plain cookie and by a signed one. */
import type { Context } from 'koa';
import { type Moment, moment } from './format.js';
import { type Language, messages } from './i18n.js';
import type { Messages } from './messages/en.js';
import type { Handler, Site } from './site.js';

const PLAIN = 'last_visit';
const SIGNED = 'last_visit_signed';
const SALT = 'last-visit';
const YEAR = 365 * 24 * 60 * 60;
/** The format that we write: 2026-01-31T12:00:00Z. Anything else is invalid. */
const WRITTEN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
/** How many characters of a cookie are shown. */
const SHOWN = 120;

/** A row of the page's table. */
interface Row {
  readonly title: string;
  readonly name: string;
  /** The cookie's value as sent; null without one. */
  readonly sent: string | null;
  readonly date: Moment | null;
  readonly state: 'unchecked' | 'verified' | 'forged' | 'absent';
  readonly verdict: string;
}

export function lastVisit(site: Site): Handler {
  return async function lastVisit(ctx) {
    const language = site.pages.language(ctx);
    const m = messages(language);
    const plain = plainRow(ctx, m, language);
    const signed = signedRow(ctx, m, language);
    const differ =
      signed.state === 'forged' ||
      (plain.sent !== null && signed.sent !== null && plain.date?.iso !== signed.date?.iso);

    const now = `${new Date(site.now() * 1000).toISOString().slice(0, 19)}Z`;
    const cookie = {
      max_age: YEAR,
      httponly: true,
      samesite: 'Lax',
      secure: site.settings.SESSION_COOKIE_SECURE,
    } as const;
    ctx.response.set_cookie(PLAIN, now, cookie);
    ctx.response.set_signed_cookie(SIGNED, now, { ...cookie, salt: SALT });
    // The signed time takes precedence over the plain one.
    await site.pages.render(ctx, 'last_visit', { visit: signed.date ?? plain.date, rows: [plain, signed], differ });
  };
}

function plainRow(ctx: Context, m: Messages, language: Language): Row {
  const sent = ctx.request.COOKIES.get(PLAIN) ?? null;
  return {
    title: m.last_visit_plain,
    name: PLAIN,
    sent: sent?.slice(0, SHOWN) ?? null,
    date: dateIn(sent, language),
    state: sent === null ? 'absent' : 'unchecked',
    verdict: sent === null ? m.last_visit_absent : m.last_visit_unchecked,
  };
}

function signedRow(ctx: Context, m: Messages, language: Language): Row {
  const sent = ctx.request.COOKIES.get(SIGNED) ?? null;
  const value = ctx.request.get_signed_cookie(SIGNED, { salt: SALT, default: null });
  const state = sent === null ? 'absent' : value === null ? 'forged' : 'verified';
  const verdicts = { absent: m.last_visit_absent, forged: m.last_visit_forged, verified: m.last_visit_verified };
  return {
    title: m.last_visit_signed,
    name: SIGNED,
    sent: sent?.slice(0, SHOWN) ?? null,
    date: dateIn(value, language),
    state,
    verdict: verdicts[state],
  };
}

function dateIn(text: string | null, language: Language): Moment | null {
  const date = text !== null && WRITTEN.test(text) ? new Date(text) : null;
  return date === null || Number.isNaN(date.getTime()) ? null : moment(date, language);
}
