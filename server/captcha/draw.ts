/** Draws a captcha's text: outlines by svg-captcha, bent, overlapped and crossed out, served as pixels only. */
import { renderAsync } from '@resvg/resvg-js';
import { bounds, FONT_SIZE, glyphOutline, type Outline, type Point, solid } from './glyph.js';
import { PICTURE_HEIGHT, PICTURE_WIDTH } from './picture.js';
import { between, chance, either } from './random.js';

/** Dark inks on light grounds: each pair has a contrast over 7 to 1, so that people with weak sight can try. */
const INKS = ['#16324f', '#3d1f47', '#14402f', '#4a2311', '#202a44', '#43122b'] as const;
const GROUNDS = ['#f4f1ea', '#eef3f7', '#f3eef5', '#edf4ee', '#f6f0ee'] as const;

type Bend = (point: Point) => Point;

/**
 * The picture of `text` as PNG bytes. Rendered in libuv's thread pool, so that other requests go on meanwhile.
 * No vector data leaves the server: svg-captcha's own SVG can be read by comparing its path commands.
 */
export async function draw(text: string): Promise<Buffer> {
  const image = await renderAsync(captchaSvg(text), {
    font: { loadSystemFonts: false },
    fitTo: { mode: 'original' },
    logLevel: 'off',
  });
  return image.asPng();
}

function pick<T>(list: readonly [T, ...T[]]): T {
  return list[Math.floor(chance() * list.length)] ?? list[0];
}

function captchaSvg(text: string): string {
  const ink = pick(INKS);
  const ground = pick(GROUNDS);
  const letters = letterOutlines(text);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${PICTURE_WIDTH}" height="${PICTURE_HEIGHT}">`,
    `<rect width="100%" height="100%" fill="${ground}"/>`,
    blots(ink),
    ...letters.map((letter) => letterShape(letter, ink)),
    crossings(ink, ground),
    specks(ink, ground),
    '</svg>',
  ].join('');
}

/** Some letters hollow, some solid, some between: one outline for all would be a template's friend. */
function letterShape(letter: Outline, ink: string): string {
  const edge = `<path fill="${ink}" stroke="${ink}" stroke-width="${fixed(between(0.2, 0.9))}" d="${pathData(letter)}"/>`;
  const filling = `<path fill="${ink}" fill-rule="evenodd" fill-opacity="${between(0.25, 0.9).toFixed(2)}" d="${pathData(solid(letter))}"/>`;
  return chance() < 0.3 ? edge : filling + edge;
}

/** Each letter turned, sheared, scaled and bent by itself, set close to the one before, then all bent together. */
function letterOutlines(text: string): Outline[] {
  const letters = Array.from(text, (character) => bent(glyphOutline(character), letterBend()));
  const placed: Outline[] = [];
  let right = 0;
  for (const letter of letters) {
    const box = bounds(letter);
    const overlap = placed.length === 0 ? 0 : between(2, 10);
    const dx = right - overlap - box.left;
    const dy = between(-6, 6);
    placed.push(bent(letter, ({ x, y }) => ({ x: x + dx, y: y + dy })));
    right = dx + box.right;
  }
  // Wide texts shrink to fit, narrow ones start anywhere.
  const scale = Math.min(1, (PICTURE_WIDTH - 24) / right);
  const left = 12 + chance() * (PICTURE_WIDTH - 24 - right * scale);
  const wave = smoothBend(2.4, 70, 150);
  return placed.map((letter) => bent(letter, ({ x, y }) => wave({ x: left + x * scale, y: PICTURE_HEIGHT / 2 + y })));
}

function letterBend(): Bend {
  const size = between(82, 108) / FONT_SIZE;
  const wide = size * between(0.85, 1.3);
  const turn = (between(5, 31) * either() * Math.PI) / 180;
  const shear = between(-0.3, 0.3);
  const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
  const wave = smoothBend(2.1, 28, 60);
  return ({ x, y }) => {
    const sheared = { x: x * wide + y * size * shear, y: y * size };
    return wave({ x: sheared.x * cos - sheared.y * sin, y: sheared.x * sin + sheared.y * cos });
  };
}

/** A random smooth field: three plane waves a direction. `strength` is pixels, the lengths are wave lengths. */
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

function fixed(number: number): string {
  return number.toFixed(1);
}

function pathData(lines: readonly (readonly Point[])[]): string {
  return lines.map((line) => `M${line.map(({ x, y }) => `${fixed(x)} ${fixed(y)}`).join('L')}Z`).join('');
}

/** A curve from the left edge to the right one, through the letters. */
function acrossPath(): string {
  const y = (): string => fixed(between(PICTURE_HEIGHT * 0.15, PICTURE_HEIGHT * 0.85));
  const third = PICTURE_WIDTH / 3;
  const middle = (n: number): string => fixed(third * n + between(-25, 25));
  return `M${fixed(between(-4, 20))} ${y()}C${middle(1)} ${y()} ${middle(2)} ${y()} ${fixed(PICTURE_WIDTH - between(-4, 20))} ${y()}`;
}

/** Curves in the letters' ink, as thick as a stroke of a letter, and thin ones in the ground's that cut letters up. */
function crossings(ink: string, ground: string): string {
  const curve = (colour: string, width: number): string =>
    `<path fill="none" stroke="${colour}" stroke-width="${fixed(width)}" stroke-linecap="round" d="${acrossPath()}"/>`;
  return [
    curve(ink, between(2.2, 3.4)),
    curve(ink, between(1.6, 2.6)),
    curve(ground, between(1.4, 2.2)),
    curve(ground, between(1.4, 2.2)),
  ].join('');
}

/** Faint large blobs, so that one threshold does not clean the ground. */
function blots(ink: string): string {
  return Array.from(
    { length: 7 },
    () =>
      `<ellipse cx="${fixed(chance() * PICTURE_WIDTH)}" cy="${fixed(chance() * PICTURE_HEIGHT)}" rx="${fixed(between(10, 48))}" ry="${fixed(between(8, 30))}" fill="${ink}" fill-opacity="${between(0.06, 0.16).toFixed(2)}"/>`,
  ).join('');
}

/** Small dots and dashes in both colours, on letters and ground alike. */
function specks(ink: string, ground: string): string {
  const speck = (colour: string): string => {
    const [x, y] = [chance() * PICTURE_WIDTH, chance() * PICTURE_HEIGHT];
    return `<path stroke="${colour}" stroke-width="${fixed(between(1, 2.2))}" stroke-linecap="round" d="M${fixed(x)} ${fixed(y)}l${fixed(between(-5, 5))} ${fixed(between(-5, 5))}"/>`;
  };
  return Array.from({ length: 60 }, (_, i) => speck(i % 2 === 0 ? ink : ground)).join('');
}
