/** The remaining lifetimes of row and cookie, as bars on a scale from a minute to a year. */
import type { LabMessages } from '../messages/lab_en.js';
import { maxAgeOf, type SentCookie } from './set_cookie.js';
import type { Step } from './step.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;
const TICKS = [MINUTE, HOUR, DAY, 14 * DAY, YEAR] as const;

/** The width of the drawing, in SVG units. */
const WIDTH = 300;

export interface Bar {
  readonly name: string;
  readonly text: string;
  /** 0 to WIDTH. */
  readonly width: number;
}

export interface Lifetime {
  readonly bars: readonly Bar[];
  /** The positions of a minute, an hour, a day, two weeks and a year. lab.css places their names there. */
  readonly ticks: readonly number[];
}

/** Logarithmic, so that both a minute and a year are visible. */
function place(seconds: number): number {
  if (seconds <= MINUTE) return (Math.max(0, seconds) / MINUTE) * 6;
  return Math.round(Math.min(WIDTH, 6 + ((WIDTH - 6) * Math.log(seconds / MINUTE)) / Math.log(YEAR / MINUTE)));
}

/** @param steps up to the shown one, which is the last */
export function lifetimeOf(steps: readonly Step[], m: LabMessages, sessionCookie: string): Lifetime | null {
  const step = steps.at(-1);
  if (step?.after == null) return null;
  const left = step.after.expire_date.getTime() / 1000 - step.at;
  return {
    bars: [
      { name: m.expiry_row, text: spanText(left, m), width: place(left) },
      cookieBar(steps, step, m, sessionCookie),
    ],
    ticks: TICKS.map(place),
  };
}

function cookieBar(steps: readonly Step[], { at }: Step, m: LabMessages, sessionCookie: string): Bar {
  const name = m.expiry_cookie;
  const ofSession = ({ received }: Step): SentCookie | undefined =>
    received.find((cookie) => cookie.name === sessionCookie);
  const setting = steps.findLast((step) => ofSession(step) !== undefined);
  const cookie = setting === undefined ? undefined : ofSession(setting);
  if (setting === undefined || cookie === undefined) return { name, text: m.expiry_unknown, width: 0 };
  const max_age = maxAgeOf(cookie);
  if (max_age === null) return { name, text: m.expiry_browser, width: 0 };
  const left = setting.at + max_age - at;
  return { name, text: spanText(left, m), width: place(left) };
}

function spanText(seconds: number, m: LabMessages): string {
  if (seconds <= 0) return m.expiry_over;
  const [unit, size] =
    seconds >= 2 * DAY
      ? (['day', DAY] as const)
      : seconds >= 2 * HOUR
        ? (['hour', HOUR] as const)
        : seconds >= 2 * MINUTE
          ? (['minute', MINUTE] as const)
          : (['second', 1] as const);
  return m.expiry_in(m.span(Math.round(seconds / size), unit));
}
