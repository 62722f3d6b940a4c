/**
 * Reads dates as Python's datetime.fromisoformat does since 3.11, which is how Django reads what lies under
 * `_session_expiry` (CPython, Modules/_datetimemodule.c; test/session/iso_dates.json has what it reads and refuses).
 *
 *     date [separator time [zone]]       the separator is any one character
 *     date  YYYY-MM-DD  YYYYMMDD  YYYY-Www-D  YYYYWwwD  YYYY-Www  YYYYWww     (of week dates without a day, Monday)
 *     time  HH[[:]MM[[:]SS]][(.|,)f…]    colons everywhere or nowhere; a fraction is of a second, digits after six are cut
 *     zone  Z, or + or - and a time
 */

/** Local time as Unix seconds that UTC would have for it, and the offset; absent where the text has none. */
export interface IsoDate {
  readonly wall: number;
  readonly microseconds: number;
  /** Seconds and microseconds east of UTC. */
  readonly offset?: { readonly seconds: number; readonly microseconds: number };
}

const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const CAPITAL_W = 87;
const CAPITAL_Z = 90;

const DAY = 86_400;

/** Python's MINYEAR and the first moment after MAXYEAR, in Unix seconds. */
const FIRST = Date.parse('0001-01-01T00:00:00Z') / 1000;
const END = Date.parse('9999-12-31T00:00:00Z') / 1000 + DAY;

const isDigit = (code: number | undefined): boolean => code !== undefined && code >= ZERO && code <= ZERO + 9;

/** The number of `count` digits; undefined when a character is no digit. Python accepts ASCII digits only. */
function digits(bytes: Uint8Array, at: number, count: number): number | undefined {
  let number = 0;
  for (let index = at; index < at + count; index += 1) {
    const code = bytes[index];
    if (!isDigit(code)) return undefined;
    number = number * 10 + (code as number) - ZERO;
  }
  return number;
}

/** The index behind the date. Its first characters tell the form; for week dates also what follows. */
function dateEnd(bytes: Uint8Array): number {
  if (bytes.length === 7) return 7;
  if (bytes[4] === MINUS) {
    if (bytes[5] !== CAPITAL_W) return 10;
    // YYYY-Www-D, unless two digits follow the dash: then it is the separator before an hour.
    return bytes[8] === MINUS && !isDigit(bytes[10]) ? 10 : 8;
  }
  if (bytes[4] !== CAPITAL_W) return 8;
  let end = 7;
  while (isDigit(bytes[end])) end += 1;
  if (end < 9) return end;
  // The digits of a time come in pairs.
  return end % 2 === 0 ? 7 : 8;
}

/** Midnight in Unix seconds; undefined when there is no such date, or it does not end at `end`. */
function readDate(bytes: Uint8Array, end: number): number | undefined {
  const year = digits(bytes, 0, 4);
  const dashes = bytes[4] === MINUS ? 1 : 0;
  const at = 4 + dashes;
  if (year === undefined || year === 0) return undefined;
  if (bytes[at] === CAPITAL_W) return readWeekDate(bytes, end, year, dashes);
  const month = digits(bytes, at, 2);
  const day = digits(bytes, at + 2 + dashes, 2);
  if (month === undefined || day === undefined || at + 4 + dashes !== end) return undefined;
  if (dashes === 1 && bytes[at + 2] !== MINUS) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() / 1000 : undefined;
}

function readWeekDate(bytes: Uint8Array, end: number, year: number, dashes: number): number | undefined {
  const week = digits(bytes, 5 + dashes, 2);
  const behind = 7 + dashes;
  if (behind < end && dashes === 1 && bytes[behind] !== MINUS) return undefined;
  const day = behind < end ? digits(bytes, behind + dashes, 1) : 1;
  if (week === undefined || day === undefined || week === 0 || day === 0 || day > 7) return undefined;
  const monday = firstMonday(year);
  const date = monday + (week - 1) * 7 * DAY;
  // A 53rd week belongs to the year if its Thursday does.
  if (week > 52 && (week > 53 || date >= firstMonday(year + 1))) return undefined;
  return date + (day - 1) * DAY;
}

/** The Monday on which the first week of an ISO year begins: the week of January 4. */
function firstMonday(year: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, 0, 4);
  return date.getTime() / 1000 - ((date.getUTCDay() + 6) % 7) * DAY;
}

interface Clock {
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly microseconds: number;
  /** Whether characters are left. Python refuses them at the end of the text, and ignores them before a zone. */
  readonly hasRest: boolean;
}

/** HH[[:]MM[[:]SS]][(.|,)f…] from `at` to `end`; undefined where Python finds none. Accepts 99:99. */
function readClock(bytes: Uint8Array, at: number, end: number): Clock | undefined {
  const parts: number[] = [];
  const hasColons = bytes[at + 2] === COLON;
  let index = at;
  while (parts.length < 3) {
    const part = digits(bytes, index, 2);
    if (part === undefined) return undefined;
    parts.push(part);
    const code = bytes[index + 2];
    // Python ignores a single last character here.
    if (index + 3 >= end) return clockOf(parts, 0, !isEnd(code));
    index += 2;
    const isMark = code === DOT || code === COMMA;
    if (isMark || code === COLON) index += 1;
    if (isMark) break;
    if (hasColons !== (code === COLON)) return undefined;
  }
  const count = Math.min(end - index, 6);
  const fraction = digits(bytes, index, count);
  if (fraction === undefined) return undefined;
  index += count;
  while (isDigit(bytes[index])) index += 1;
  return clockOf(parts, fraction * 10 ** (6 - count), !isEnd(bytes[index]));
}

const clockOf = (
  [hours = 0, minutes = 0, seconds = 0]: readonly number[],
  microseconds: number,
  hasRest: boolean,
): Clock => ({
  hours,
  minutes,
  seconds,
  microseconds,
  hasRest,
});

const secondsOf = ({ hours, minutes, seconds }: Clock): number => hours * 3600 + minutes * 60 + seconds;

/** CPython's strings end with a NUL, so that it takes any NUL for the end here. */
const isEnd = (code: number | undefined): boolean => code === undefined || code === 0;

/** Bytes of the UTF-8 character whose first byte is `code`. */
function characterLength(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0xe0) return 2;
  return code < 0xf0 ? 3 : 4;
}

/**
 * The date that the text gives; undefined where Python raises ValueError. 24:00 is the following midnight, as since Python
 * 3.14. The caller decides which time zone a date without an offset is in.
 */
export function readIsoDate(text: string): IsoDate | undefined {
  const bytes = Buffer.from(text);
  if (bytes.length < 7) return undefined;
  const end = dateEnd(bytes);
  const midnight = readDate(bytes, end);
  if (midnight === undefined) return undefined;
  if (bytes.length === end) return within({ wall: midnight, microseconds: 0 });

  const start = end + characterLength(bytes[end] as number);
  let zone = start;
  while (zone < bytes.length && bytes[zone] !== PLUS && bytes[zone] !== MINUS && bytes[zone] !== CAPITAL_Z) zone += 1;
  const clock = readClock(bytes, start, zone);
  if (clock === undefined || clock.minutes > 59 || clock.seconds > 59) return undefined;
  const seconds = secondsOf(clock);
  if (seconds > DAY || (seconds === DAY && clock.microseconds > 0)) return undefined;
  const wall = { wall: midnight + seconds, microseconds: clock.microseconds };
  if (zone === bytes.length) return clock.hasRest ? undefined : within(wall);
  const offset = readZone(bytes, zone);
  return offset === undefined ? undefined : within({ ...wall, offset });
}

function readZone(bytes: Uint8Array, at: number): IsoDate['offset'] {
  if (bytes[at] === CAPITAL_Z) return isEnd(bytes[at + 1]) ? { seconds: 0, microseconds: 0 } : undefined;
  const clock = readClock(bytes, at + 1, bytes.length);
  if (clock === undefined || clock.hasRest) return undefined;
  const seconds = secondsOf(clock);
  if (seconds >= DAY) return undefined;
  const sign = bytes[at] === MINUS ? -1 : 1;
  // Python treats an offset of less than a second as none.
  return { seconds: sign * seconds, microseconds: seconds === 0 ? 0 : sign * clock.microseconds };
}

const within = (date: IsoDate): IsoDate | undefined => (date.wall >= FIRST && date.wall < END ? date : undefined);
