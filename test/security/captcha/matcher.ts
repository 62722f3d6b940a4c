/**
 * An attacker of the captcha: cuts a picture into letters and compares each with thousands that it drew and labelled
 * itself, as anybody can who has this repository.
 */
import type { Picture } from './png.js';

/** A letter's window is scaled to this grid. */
const GRID_WIDTH = 16;
const GRID_HEIGHT = 20;
const CELLS = GRID_WIDTH * GRID_HEIGHT;
/** Columns between two places where a letter may begin or end, and how many of those steps a letter may be wide. */
const STEP = 4;
const NARROWEST = 7;
const WIDEST = 24;
const NEIGHBOURS = 3;
/** How many windows are compared cell by cell; they are those that are nearest on a grid of half the size. */
const CANDIDATES = 48;

/** How much ink lies on each pixel, from 0 to 1; dots and the ground's blots are taken away. */
export interface Ink {
  readonly width: number;
  readonly height: number;
  readonly amount: Float32Array;
}

export function inkOf({ width, height, light }: Picture): Ink {
  const sorted = Float32Array.from(light).sort();
  const ground = sorted[Math.floor(sorted.length * 0.9)] ?? 255;
  const dark = sorted[Math.floor(sorted.length * 0.01)] ?? 0;
  const amount = light.map((value) => {
    const share = (ground - value) / Math.max(1, ground - dark);
    return Math.min(1, Math.max(0, (share - 0.22) / 0.4));
  });
  removeSmall(amount, width, height);
  return { width, height, amount };
}

/**
 * Without what is thinner than three pixels: the lines across the letters, and the edges of hollow letters with them.
 * Each pixel takes the least ink around it, then the most (a morphological opening).
 */
export function withoutThinLines(ink: Ink): Ink {
  const around = (amount: Float32Array, pick: (a: number, b: number) => number): Float32Array => {
    const { width, height } = ink;
    const rows = amount.map((value, i) => {
      const x = i % width;
      return pick(value, pick(amount[x > 0 ? i - 1 : i] ?? 0, amount[x < width - 1 ? i + 1 : i] ?? 0));
    });
    return rows.map((value, i) => {
      const y = Math.floor(i / width);
      return pick(value, pick(rows[y > 0 ? i - width : i] ?? 0, rows[y < height - 1 ? i + width : i] ?? 0));
    });
  };
  return { ...ink, amount: around(around(ink.amount, Math.min), Math.max) };
}

/** Dots and dashes that touch nothing. */
function removeSmall(amount: Float32Array, width: number, height: number): void {
  const seen = new Uint8Array(amount.length);
  for (let start = 0; start < amount.length; start += 1) {
    if (seen[start] === 1 || (amount[start] ?? 0) < 0.3) continue;
    const part = [start];
    seen[start] = 1;
    for (let next = 0; next < part.length; next += 1) {
      const at = part[next] ?? 0;
      const x = at % width;
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ] as const) {
        const y = Math.floor(at / width) + dy;
        if (x + dx < 0 || x + dx >= width || y < 0 || y >= height) continue;
        const neighbour = y * width + x + dx;
        if (seen[neighbour] === 1 || (amount[neighbour] ?? 0) < 0.3) continue;
        seen[neighbour] = 1;
        part.push(neighbour);
      }
    }
    if (part.length < 60) for (const at of part) amount[at] = 0;
  }
}

/** Ink in each column. */
function columns({ width, height, amount }: Ink): Float32Array {
  const sums = new Float32Array(width);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) sums[x] = (sums[x] ?? 0) + (amount[y * width + x] ?? 0);
  }
  return sums;
}

/** Where the letters are: columns with more ink than the crossing lines bring. */
export function extent(ink: Ink): readonly [from: number, to: number] {
  const sums = columns(ink);
  const isLetter = (x: number): boolean => (sums[x] ?? 0) > 12;
  let [from, to] = [0, ink.width];
  while (from < to && !(isLetter(from) && isLetter(from + 2))) from += 1;
  while (to > from && !(isLetter(to - 1) && isLetter(to - 3))) to -= 1;
  return [from, to];
}

type SumOf = (left: number, top: number, right: number, bottom: number) => number;
const known = new WeakMap<Ink, SumOf>();

/** The ink in any rectangle, from a table of the sums above and to the left of each pixel (a summed-area table). */
function sums(ink: Ink): SumOf {
  const { width, height, amount } = ink;
  const found = known.get(ink);
  if (found !== undefined) return found;
  const stride = width + 1;
  const table = new Float64Array(stride * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let row = 0;
    for (let x = 0; x < width; x += 1) {
      row += amount[y * width + x] ?? 0;
      table[(y + 1) * stride + x + 1] = (table[y * stride + x + 1] ?? 0) + row;
    }
  }
  const at = (x: number, y: number): number => table[y * stride + x] ?? 0;
  const sumOf: SumOf = (left, top, right, bottom) =>
    at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
  known.set(ink, sumOf);
  return sumOf;
}

/** The columns from `left` to `right`, scaled to the grid between the rows that hold their ink; of length 1. */
function windowOf(ink: Ink, left: number, right: number): Float32Array {
  const { height } = ink;
  const sumOf = sums(ink);
  const rows = Float32Array.from({ length: height }, (_, y) => sumOf(left, y, right, y + 1));
  const total = sumOf(left, 0, right, height);
  let [top, bottom] = [0, height];
  for (let sum = 0; top < height - 1 && sum + (rows[top] ?? 0) < total * 0.02; top += 1) sum += rows[top] ?? 0;
  for (let sum = 0; bottom > top + 1 && sum + (rows[bottom - 1] ?? 0) < total * 0.02; bottom -= 1) {
    sum += rows[bottom - 1] ?? 0;
  }
  const grid = new Float32Array(CELLS);
  const [cellWidth, cellHeight] = [(right - left) / GRID_WIDTH, (bottom - top) / GRID_HEIGHT];
  for (let row = 0; row < GRID_HEIGHT; row += 1) {
    for (let column = 0; column < GRID_WIDTH; column += 1) {
      // Cells overlap by half, which forgives a stroke that lies a little aside.
      const [x0, x1] = [left + (column - 0.5) * cellWidth, left + (column + 1.5) * cellWidth];
      const [y0, y1] = [top + (row - 0.5) * cellHeight, top + (row + 1.5) * cellHeight];
      const [fromX, toX] = [Math.max(left, Math.round(x0)), Math.ceil(Math.min(right, x1))];
      const [fromY, toY] = [Math.max(0, Math.round(y0)), Math.ceil(Math.min(height, y1))];
      const count = Math.max(0, toX - fromX) * Math.max(0, toY - fromY);
      grid[row * GRID_WIDTH + column] = count === 0 ? 0 : sumOf(fromX, fromY, toX, toY) / count;
    }
  }
  return normalized(grid);
}

function normalized(grid: Float32Array): Float32Array {
  const mean = grid.reduce((sum, value) => sum + value, 0) / grid.length;
  const length = Math.sqrt(grid.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
  return grid.map((value) => (value - mean) / length);
}

interface Guess {
  readonly letter: string;
  /** 0 for the very same window, up to 2. */
  readonly distance: number;
}

/** A labelled letter. */
interface Template {
  readonly letter: string;
  readonly fine: Float32Array;
  readonly coarse: Float32Array;
}

export class Matcher {
  readonly #templates: Template[] = [];
  readonly #byLetter = new Map<string, Template[]>();

  get size(): number {
    return this.#templates.length;
  }

  /** Learn from a picture of one letter. */
  learnLetter(ink: Ink, letter: string): void {
    const [left, right] = extent(ink);
    if (right - left >= NARROWEST * STEP) this.#add(letter, windowOf(ink, left, right));
  }

  /** Learn from a picture of a known text, cut where what is known so far fits best. */
  learnText(ink: Ink, text: string): void {
    const found = this.#cut(ink, text.length, text);
    found?.forEach(([left, right], i) => {
      this.#add(text.charAt(i), windowOf(ink, left, right));
    });
  }

  /** The text of a picture, of that many letters. */
  read(ink: Ink, length: number): string {
    const cuts = this.#cut(ink, length);
    return (cuts ?? []).map(([left, right]) => this.#nearest(windowOf(ink, left, right)).letter).join('');
  }

  #add(letter: string, window: Float32Array): void {
    const template = { letter, fine: window, coarse: halved(window) };
    this.#templates.push(template);
    const others = this.#byLetter.get(letter);
    if (others === undefined) this.#byLetter.set(letter, [template]);
    else others.push(template);
  }

  /** The cuts whose letters are least far from letters known (dynamic programming over all of them). */
  #cut(ink: Ink, length: number, text?: string): (readonly [number, number])[] | null {
    const [from, to] = extent(ink);
    const places = Math.floor((to - from) / STEP);
    const known = new Map<string, Guess>();
    const guess = (start: number, end: number, letter: string | undefined): Guess => {
      const key = `${start} ${end} ${letter}`;
      let value = known.get(key);
      if (value === undefined) {
        value = this.#nearest(windowOf(ink, from + start * STEP, from + end * STEP), letter);
        known.set(key, value);
      }
      return value;
    };
    const best: { cost: number; back: number }[][] = [];
    for (let count = 0; count <= length; count += 1) {
      const row = Array.from({ length: places + 1 }, () => ({ cost: Infinity, back: -1 }));
      best.push(row);
      if (count === 0) {
        row.splice(0, 1, { cost: 0, back: -1 });
        continue;
      }
      for (let end = NARROWEST; end <= places; end += 1) {
        for (let width = NARROWEST; width <= Math.min(WIDEST, end); width += 1) {
          const before = best[count - 1]?.[end - width]?.cost ?? Infinity;
          if (before === Infinity) continue;
          const cost = before + guess(end - width, end, text?.charAt(count - 1)).distance;
          if (cost < (row[end]?.cost ?? Infinity)) row.splice(end, 1, { cost, back: end - width });
        }
      }
    }
    const cuts: (readonly [number, number])[] = [];
    let end = places;
    for (let count = length; count > 0; count -= 1) {
      const back = best[count]?.[end]?.back ?? -1;
      if (back < 0) return null;
      cuts.unshift([from + back * STEP, from + end * STEP]);
      end = back;
    }
    return cuts;
  }

  #nearest(window: Float32Array, only?: string): Guess {
    const coarse = halved(window);
    const candidates: { readonly template: Template; readonly distance: number }[] = [];
    for (const template of only === undefined ? this.#templates : (this.#byLetter.get(only) ?? [])) {
      const distance = 1 - product(coarse, template.coarse);
      if (candidates.length === CANDIDATES && distance >= (candidates.at(-1)?.distance ?? 2)) continue;
      let place = candidates.length;
      while (place > 0 && (candidates[place - 1]?.distance ?? 0) > distance) place -= 1;
      candidates.splice(place, 0, { template, distance });
      if (candidates.length > CANDIDATES) candidates.pop();
    }
    const byLetter = new Map<string, number[]>();
    let farthest = 0;
    for (const { template } of candidates) {
      const distance = 1 - product(window, template.fine);
      farthest = Math.max(farthest, distance);
      const list = byLetter.get(template.letter);
      if (list === undefined) byLetter.set(template.letter, [distance]);
      else list.push(distance);
    }
    let found: Guess = { letter: '', distance: Infinity };
    for (const [letter, distances] of byLetter) {
      const nearest = distances.sort((a, b) => a - b).slice(0, NEIGHBOURS);
      while (nearest.length < NEIGHBOURS) nearest.push(farthest);
      const distance = nearest.reduce((sum, value) => sum + value, 0) / NEIGHBOURS;
      if (distance < found.distance) found = { letter, distance };
    }
    return found;
  }
}

function product(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** The grid with four cells made one; of length 1. */
function halved(grid: Float32Array): Float32Array {
  const half = new Float32Array(CELLS / 4);
  for (let i = 0; i < CELLS; i += 1) {
    const column = (i % GRID_WIDTH) >> 1;
    const row = Math.floor(i / GRID_WIDTH) >> 1;
    const at = (row * GRID_WIDTH) / 2 + column;
    half[at] = (half[at] ?? 0) + (grid[i] ?? 0);
  }
  return normalized(half);
}
