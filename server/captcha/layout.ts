/**
 * Places the letters of a captcha: each bent separately, next to the previous one without touching it, then all bent
 * together.
 */
import { bounds, FONT_SIZE, glyphOutline, type Outline, type Point } from './glyph.js';
import { PICTURE_HEIGHT, PICTURE_WIDTH } from './picture_size.js';
import { between, chance, either } from './random.js';

/** Margins in pixels: at the sides, above and below. */
const MARGIN = { x: 14, y: 8 } as const;
/** The height in pixels of the bands in which two letters are compared. */
const BAND = 6;
/** The maximum overlap of two neighbours' boxes, if their outlines leave room (an L before a T). */
const NESTED = 12;
/** The minimum distance between the centres of two neighbours. */
const APART = 30;

type Bend = (point: Point) => Point;

/** The outlines of a text's letters, in the picture's pixels. */
export function letterOutlines(text: string): Outline[] {
  const placed: Outline[] = [];
  for (const character of text) {
    const dy = between(-8, 8);
    const letter = bent(bent(glyphOutline(character), letterBend()), ({ x, y }) => ({ x, y: y + dy }));
    const before = placed.at(-1);
    const dx = before === undefined ? 0 : rightOf(before, letter) + between(3, 8);
    placed.push(bent(letter, ({ x, y }) => ({ x: x + dx, y })));
  }
  const box = bounds(placed.flat());
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  // Wide texts shrink to fit, narrow ones start anywhere.
  const room = { width: PICTURE_WIDTH - 2 * MARGIN.x, height: PICTURE_HEIGHT - 2 * MARGIN.y };
  const scale = Math.min(1, room.width / width, room.height / height);
  const left = MARGIN.x + chance() * (room.width - width * scale);
  const middle = (box.top + box.bottom) / 2;
  const wave = smoothBend(1.5, 90, 200);
  return placed.map((letter) =>
    bent(letter, ({ x, y }) =>
      wave({ x: left + (x - box.left) * scale, y: PICTURE_HEIGHT / 2 + (y - middle) * scale }),
    ),
  );
}

/** The shift of `letter` to the right at which it does not touch `before`. */
function rightOf(before: Outline, letter: Outline): number {
  const ends = edges(before, Math.max);
  let least = Number.NEGATIVE_INFINITY;
  for (const [band, start] of edges(letter, Math.min)) {
    for (const near of [band - 1, band, band + 1]) {
      const end = ends.get(near);
      if (end !== undefined) least = Math.max(least, end - start);
    }
  }
  const [one, other] = [bounds(before), bounds(letter)];
  const middles = (one.left + one.right - other.left - other.right) / 2;
  return Math.max(least, middles + APART, one.right - other.left - NESTED);
}

/** The outermost point of an outline in each band. */
function edges(outline: Outline, outer: (a: number, b: number) => number): Map<number, number> {
  const found = new Map<number, number>();
  for (const { x, y } of outline.flat()) {
    const band = Math.floor(y / BAND);
    found.set(band, outer(found.get(band) ?? x, x));
  }
  return found;
}

function letterBend(): Bend {
  const size = between(104, 125) / FONT_SIZE;
  const wide = size * between(0.85, 1.25);
  const turn = (between(4, 24) * either() * Math.PI) / 180;
  const shear = between(-0.2, 0.2);
  const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
  const wave = smoothBend(1.6, 40, 90);
  return ({ x, y }) => {
    const sheared = { x: x * wide + y * size * shear, y: y * size };
    return wave({ x: sheared.x * cos - sheared.y * sin, y: sheared.x * sin + sheared.y * cos });
  };
}

/** A random smooth field: three plane waves per direction. `strength` is in pixels, the lengths are wavelengths. */
function smoothBend(strength: number, shortest: number, longest: number): Bend {
  const waves = Array.from({ length: 6 }, () => {
    const angle = chance() * 2 * Math.PI;
    const rate = (2 * Math.PI) / between(shortest, longest);
    return { a: Math.cos(angle) * rate, b: Math.sin(angle) * rate, phase: chance() * 2 * Math.PI };
  });
  return ({ x, y }) => {
    let [dx, dy] = [0, 0];
    waves.forEach(({ a, b, phase }, i) => {
      const shift = strength * 0.6 * Math.sin(a * x + b * y + phase);
      if (i % 2 === 0) dx += shift;
      else dy += shift;
    });
    return { x: x + dx, y: y + dy };
  };
}

function bent(outline: Outline, bend: Bend): Outline {
  return outline.map((line) => line.map(bend));
}
