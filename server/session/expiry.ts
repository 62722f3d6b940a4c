/**
 * The expiry of a session: the values that `set_expiry` stores under `_session_expiry`, and their meaning
 * (SessionBase.set_expiry, get_expiry_age and get_expiry_date).
 *
 * | stored | means |
 * |---|---|
 * | nothing, null | SESSION_COOKIE_AGE seconds after the last change |
 * | 0, or an invalid value | the same for the row, and a cookie that ends with the browser |
 * | a number | so many seconds after the last change |
 * | an ISO date | that moment |
 */
import { ValueError } from '../errors.js';
import { type TimeDelta, total_seconds } from '../http/http_date.js';
import type { Settings } from '../settings.js';
import { readIsoDate } from './iso_date.js';
import { momentOfWallClock, wallClock } from './time_zone.js';

/** Seconds; 0 for the browser's end; a moment as Date or ISO text; a span from now; null for SESSION_COOKIE_AGE. */
export type ExpiryInput = number | Date | string | TimeDelta | null;

/** Settings that an expiry depends on. */
export type ExpirySettings = Pick<Settings, 'SESSION_COOKIE_AGE' | 'SESSION_EXPIRE_AT_BROWSER_CLOSE'> &
  Partial<Pick<Settings, 'USE_TZ' | 'TIME_ZONE'>>;

export interface ExpiryContext {
  /** SESSION_COOKIE_AGE, in seconds. */
  readonly cookieAge: number;
  /** When the session was last changed, Unix seconds. */
  readonly modification: number;
  /** TIME_ZONE if USE_TZ is off; otherwise absent, and a date without an offset is UTC. */
  readonly time_zone?: string | undefined;
}

export function expiryContext(settings: ExpirySettings, modification: number): ExpiryContext {
  const { SESSION_COOKIE_AGE, USE_TZ, TIME_ZONE } = settings;
  return { cookieAge: SESSION_COOKIE_AGE, modification, time_zone: USE_TZ === false ? TIME_ZONE : undefined };
}

/** A second in microseconds. */
const SECOND = 1_000_000;

// Python's datetime.min and datetime.max: a row outside them breaks every Django that reads it.
const FIRST_MOMENT = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z');

/** A moment, exact to the microsecond: whole Unix seconds, and the microseconds above them. */
interface Moment {
  readonly seconds: number;
  readonly microseconds: number;
}

/** In two numbers, because microseconds alone are no safe integer from the year 2255 on. */
function momentOf(unixSeconds: number): Moment {
  const seconds = Math.floor(unixSeconds);
  const microseconds = Math.round((unixSeconds - seconds) * SECOND);
  return microseconds < SECOND ? { seconds, microseconds } : { seconds: seconds + 1, microseconds: 0 };
}

function momentOfDate(date: Date): Moment {
  const seconds = Math.floor(date.getTime() / 1000);
  return { seconds, microseconds: (date.getTime() - seconds * 1000) * 1000 };
}

/** Unix milliseconds; the rest of the microseconds is dropped, because a Date cannot hold them. */
const milliseconds = (moment: Moment): number => moment.seconds * 1000 + Math.floor(moment.microseconds / 1000);

const isRepresentable = (time: number): boolean => time >= FIRST_MOMENT && time <= LAST_MOMENT;

/**
 * The moment of an ISO text; undefined if it is invalid. Django with USE_TZ = False writes text without an offset: local time
 * in TIME_ZONE, or UTC if that is not given.
 */
function parseIsoDate(text: string, time_zone: string | undefined): Moment | undefined {
  const date = readIsoDate(text);
  if (date === undefined) return undefined;
  const { wall, microseconds, offset } = date;
  if (offset === undefined) {
    return { seconds: time_zone === undefined ? wall : momentOfWallClock(wall, time_zone), microseconds };
  }
  // An offset may have a fraction of a second, so the subtraction may borrow one.
  const left = microseconds - offset.microseconds;
  const carried = Math.floor(left / SECOND);
  return { seconds: wall - offset.seconds + carried, microseconds: left - carried * SECOND };
}

/** The meaning of a stored expiry: a moment, or seconds after the last change. */
type Expiry = { readonly moment: Moment } | { readonly age: number };

/** @param expiry any JSON: the application may store anything. @returns undefined if Django would raise an exception */
function understand(expiry: unknown, { cookieAge, modification, time_zone }: ExpiryContext): Expiry | undefined {
  if (expiry instanceof Date || typeof expiry === 'string') {
    const moment = expiry instanceof Date ? momentOfDate(expiry) : parseIsoDate(expiry, time_zone);
    return moment !== undefined && isRepresentable(milliseconds(moment)) ? { moment } : undefined;
  }
  if (isNothing(expiry)) return { age: cookieAge };
  // Python's True is the int 1.
  const age = expiry === true ? 1 : expiry;
  if (typeof age !== 'number') return undefined;
  return isRepresentable((modification + age) * 1000) ? { age } : undefined;
}

/** Python's `not expiry`, which means SESSION_COOKIE_AGE: None, 0, False, and an empty list or dictionary. */
function isNothing(expiry: unknown): boolean {
  if (expiry === null || expiry === undefined || expiry === 0 || expiry === false) return true;
  return typeof expiry === 'object' && Object.keys(expiry).length === 0;
}

/**
 * Seconds from the last change to the end: whole seconds for a stored date, negative once it has passed. SESSION_COOKIE_AGE
 * if the stored expiry is invalid.
 *
 * @param expiry the value of `_session_expiry`, or a Date
 */
export function get_expiry_age(expiry: unknown, context: ExpiryContext): number {
  const understood = understand(expiry, context) ?? { age: context.cookieAge };
  if ('age' in understood) return understood.age;
  const { moment } = understood;
  const modification = momentOf(context.modification);
  return moment.seconds - modification.seconds - (moment.microseconds < modification.microseconds ? 1 : 0);
}

/** The row's expire_date, without microseconds. The same moment as `get_expiry_age`. */
export function get_expiry_date(expiry: unknown, context: ExpiryContext): Date {
  const understood = understand(expiry, context) ?? { age: context.cookieAge };
  if ('moment' in understood) return new Date(milliseconds(understood.moment));
  return new Date(milliseconds(momentOf(context.modification + understood.age)));
}

/**
 * Whether the cookie ends with the browser: by the stored expiry, otherwise by SESSION_EXPIRE_AT_BROWSER_CLOSE.
 * Python's `expiry == 0` also holds for False.
 *
 * An invalid stored value (text that is no date, a list, a date beyond the year 9999) counts as 0, the shortest lifetime,
 * because the intended one is unknown. Django answers 500.
 */
export function get_expire_at_browser_close(expiry: unknown, setting: boolean, context: ExpiryContext): boolean {
  if (expiry === null || expiry === undefined) return setting;
  return expiry === 0 || expiry === false || understand(expiry, context) === undefined;
}

/**
 * The value that `set_expiry(value)` stores under `_session_expiry`: a number or ISO text; null to remove it.
 *
 * A Date or a span becomes the text of Python's isoformat(): with `+00:00`, never `Z`, and with six digits of fraction
 * or none. So does a text that a Django cannot compare with its clock (a date alone, no offset), or that Python before 3.11
 * cannot read (`Z`); other text is kept as given.
 *
 * @param now Unix seconds, the start of a span
 * @param time_zone TIME_ZONE if USE_TZ is off: then the text is local time without an offset, because a Django with
 *   USE_TZ = False answers 500 to one with an offset
 * @throws ValueError for an invalid expiry, or one outside the years 1 to 9999
 */
export function expiryValue(value: ExpiryInput, now: number, time_zone?: string): number | string | null {
  if (value === null) return null;
  if (typeof value === 'number') {
    if (!isRepresentable((now + value) * 1000)) throw noExpiry('number of seconds');
    return value;
  }
  if (typeof value === 'string') {
    const moment = parseIsoDate(value, time_zone);
    if (moment === undefined || !isRepresentable(milliseconds(moment))) throw noExpiry('text');
    const match = ISOFORMAT.exec(value);
    const isKept = match !== null && (match[1] === undefined) === (time_zone !== undefined);
    return isKept ? value : isoformat(moment, time_zone);
  }
  if (value instanceof Date) return isoformat(momentOfDate(value), time_zone);
  if (typeof value !== 'object' || Object.keys(value).length === 0) throw noExpiry('value');
  if (!Object.values(value).every(Number.isFinite)) throw noExpiry('span');
  return isoformat(momentOf(now + total_seconds(value)), time_zone);
}

/** What Python's isoformat() prints, and all releases read; with the offset, if there is one. */
const ISOFORMAT = /^\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{6})?([+-]\d\d:\d\d(?::\d\d(?:\.\d{6})?)?)?$/;

function noExpiry(what: string): ValueError {
  return new ValueError(
    `This ${what} is no expiry. Give seconds, a Date, ISO text such as 2026-08-15T12:00:00+00:00, a span such as { days: 1 }, or null.`,
  );
}

/** Python's datetime.isoformat(): of a moment in UTC, or of local time. */
function isoformat(moment: Moment, time_zone: string | undefined): string {
  if (!isRepresentable(milliseconds(moment))) throw noExpiry('date or span');
  const fraction = moment.microseconds === 0 ? '' : `.${String(moment.microseconds).padStart(6, '0')}`;
  const shown = time_zone === undefined ? moment.seconds : wallClock(moment.seconds, time_zone);
  if (!isRepresentable(shown * 1000)) throw noExpiry('date or span');
  return `${new Date(shown * 1000).toISOString().slice(0, 19)}${fraction}${time_zone === undefined ? '+00:00' : ''}`;
}
