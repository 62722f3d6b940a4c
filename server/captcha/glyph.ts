/** The outline of one character: svg-captcha's path, parsed and flattened to polygons that can be bent. */
import svgCaptcha from 'svg-captcha';

export interface Point {
  readonly x: number;
  readonly y: number;
}
/** Closed lines; a hole is a line of its own (fill-rule evenodd). */
export type Outline = readonly (readonly Point[])[];

// The package's main export is a function that draws a given text (its README, "svgCaptcha(text, options)"); its types
// declare only the other functions, which choose the text by Math.random and are not usable here.
const drawText = svgCaptcha as unknown as (text: string, options: { noise: number; fontSize: number }) => string;

/** The font size of the outlines; callers scale them. */
export const FONT_SIZE = 100;
/** The longest straight segment, in units of FONT_SIZE: short enough that bent strokes show no corners. */
const PIECE = 8;

// path data as printed by opentype.js: a command letter and numbers, separated by a sign or a blank.
const COMMAND = /([MLQCZ])([^MLQCZ]*)/g;
const NUMBER = /-?\d*\.?\d+(?:e-?\d+)?/g;

const drawn = new Map<string, Outline>();

/** The outline of a character, centred on (0, 0). Cached; only the bending differs each time. */
export function glyphOutline(character: string): Outline {
  const known = drawn.get(character) ?? readOutline(character);
  drawn.set(character, known);
  return known;
}

function readOutline(character: string): Outline {
  const svg = drawText(character, { noise: 0, fontSize: FONT_SIZE });
  const data = / d="([^"]*)"/.exec(svg)?.[1] ?? '';
  const outline: Point[][] = [];
  let line: Point[] = [];
  for (const [, letter, text = ''] of data.matchAll(COMMAND)) {
    const numbers = Array.from(text.matchAll(NUMBER), ([number]) => Number(number));
    const points = pairs(numbers);
    if (letter === 'M') {
      line = [...points];
      outline.push(line);
    } else if (letter !== 'Z') {
      curve(line, points);
    }
  }
  return centred(outline.filter((part) => part.length > 2));
}

/**
 * The letter without its hollow. svg-captcha's font draws each stroke as a ring with a shadow, with four nested kinds
 * of lines (edge, hollow, edge of a counter, counter); edge and counters alone are the plain letter.
 */
export function solid(outline: Outline): Outline {
  return outline.filter((line) => {
    const depth = outline.filter((other) => other !== line && inside(line[0], other)).length;
    return depth === 0 || depth === 3;
  });
}

/** Even-odd rule: a ray to the right crosses the line an odd number of times. */
function inside(point: Point | undefined, line: readonly Point[]): boolean {
  if (point === undefined) return false;
  let odd = false;
  line.forEach((to, i) => {
    const from = line.at(i - 1) ?? to;
    if (from.y > point.y === to.y > point.y) return;
    if (point.x < from.x + ((point.y - from.y) / (to.y - from.y)) * (to.x - from.x)) odd = !odd;
  });
  return odd;
}

function pairs(numbers: readonly number[]): Point[] {
  const points: Point[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) points.push({ x: numbers[i] ?? 0, y: numbers[i + 1] ?? 0 });
  return points;
}

/** Appends a Bézier curve of any degree (also a straight line), split into straight segments. */
function curve(line: Point[], points: readonly Point[]): void {
  const start = line.at(-1);
  const end = points.at(-1);
  if (start === undefined || end === undefined) return;
  const pieces = Math.max(1, Math.ceil(Math.hypot(end.x - start.x, end.y - start.y) / PIECE));
  for (let i = 1; i <= pieces; i += 1) line.push(pointOf([start, ...points], i / pieces));
}

/** De Casteljau's steps. */
function pointOf(points: readonly Point[], t: number): Point {
  let rest = points;
  while (rest.length > 1) {
    const inner = rest;
    rest = inner.slice(1).map((point, i) => {
      const before = inner[i] ?? point;
      return { x: before.x + (point.x - before.x) * t, y: before.y + (point.y - before.y) * t };
    });
  }
  return rest[0] ?? { x: 0, y: 0 };
}

function centred(outline: Outline): Outline {
  const box = bounds(outline);
  const x = (box.left + box.right) / 2;
  const y = (box.top + box.bottom) / 2;
  return outline.map((line) => line.map((point) => ({ x: point.x - x, y: point.y - y })));
}

/** The smallest box around an outline; all zero for an empty one. */
export function bounds(outline: Outline): { left: number; right: number; top: number; bottom: number } {
  const points = outline.flat();
  if (points.length === 0) return { left: 0, right: 0, top: 0, bottom: 0 };
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const { x, y } of points) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}
