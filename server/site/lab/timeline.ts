/** The positions for a drawing of the steps: a lane for the browser's cookie, a lane for the row. */
import type { Step, StepEvent } from './step.js';

const LEFT = 20;
const COLUMN = 56;
const LANES = { cookie: 34, row: 92 } as const;
const HEIGHT = 140;

type Lane = keyof typeof LANES;

export interface Line {
  readonly x1: number;
  readonly x2: number;
  readonly y: number;
  /** 0 to 3; changes with the key. */
  readonly colour: number;
}

export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly event: StepEvent;
  readonly colour: number;
}

export interface Timeline {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
  readonly columns: readonly { readonly x: number; readonly number: number; readonly isShown: boolean }[];
  readonly column: number;
}

const LANE_OF: Readonly<Record<StepEvent, Lane>> = {
  row_created: 'row',
  row_saved: 'row',
  row_merged: 'row',
  row_cycled: 'row',
  row_deleted: 'row',
  interrupted: 'row',
  cookie_sent: 'cookie',
  cookie_deleted: 'cookie',
  other_cookie: 'cookie',
};

/** @param shown the number of the shown step */
export function timelineOf(steps: readonly Step[], shown: number | null): Timeline {
  const x = (index: number): number => LEFT + COLUMN * (index + 0.5);
  const colours = new Map<string, number>();
  const colourOf = (key: string | null | undefined): number => {
    if (key === null || key === undefined) return 0;
    if (!colours.has(key)) colours.set(key, colours.size % 4);
    return colours.get(key) ?? 0;
  };
  const lines: Line[] = [];
  const marks: Mark[] = [];
  const draw = (lane: Lane, from: number, to: number, key: string | null | undefined): void => {
    if (key !== null && key !== undefined) lines.push({ x1: from, x2: to, y: LANES[lane], colour: colourOf(key) });
  };
  for (const [index, step] of steps.entries()) {
    const former = steps[index - 1];
    // A line connects two steps. It begins at the left edge if there was a key before the first step.
    const start = index === 0 ? LEFT : x(index - 1);
    const middle = x(index);
    draw('row', start, middle, former === undefined ? step.before?.session_key : former.after?.session_key);
    const sent = former === undefined ? step.before?.session_key : former.browserKey;
    draw('cookie', start, middle, sent);
    const last = index === steps.length - 1;
    if (last) {
      draw('row', middle, middle + COLUMN / 2, step.after?.session_key);
      draw('cookie', middle, middle + COLUMN / 2, step.browserKey);
    }
    for (const lane of ['cookie', 'row'] as const) {
      const events = step.events.filter((event) => LANE_OF[event] === lane);
      const key = lane === 'row' ? (step.after ?? step.before)?.session_key : step.browserKey;
      for (const [place, event] of events.entries()) {
        const shift = (place - (events.length - 1) / 2) * 20;
        marks.push({ x: middle + shift, y: LANES[lane], event, colour: colourOf(key) });
      }
    }
  }
  return {
    width: LEFT * 2 + COLUMN * steps.length,
    height: HEIGHT,
    column: COLUMN,
    lines,
    marks,
    columns: steps.map(({ number }, index) => ({ x: x(index), number, isShown: number === shown })),
  };
}
