/** Draws a captcha's text: outlines from svg-captcha, bent and crossed by thin lines, as pixels. */
import { renderAsync } from '@resvg/resvg-js';
import { type Outline, type Point, solid } from './glyph.js';
import { letterOutlines } from './layout.js';
import { PICTURE_HEIGHT, PICTURE_WIDTH } from './picture_size.js';
import { between, chance } from './random.js';

/** Dark inks on light grounds: each pair has a contrast over 7 to 1, for people with low vision. */
const INKS = ['#16324f', '#3d1f47', '#14402f', '#4a2311', '#202a44', '#43122b'] as const;
const GROUNDS = ['#f4f1ea', '#eef3f7', '#f3eef5', '#edf4ee', '#f6f0ee'] as const;

/**
 * The picture of `text` as PNG bytes. Rendered in libuv's thread pool, so that other requests are not blocked. Vector
 * data is never sent: svg-captcha's SVG can be read by comparing its path commands.
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

/** Some letters hollow, some solid, some between: a single style would be easy for template matching. */
function letterShape(letter: Outline, ink: string): string {
  const edge = `<path fill="${ink}" stroke="${ink}" stroke-width="${fixed(between(0.5, 1.1))}" d="${pathData(letter)}"/>`;
  const filling = `<path fill="${ink}" fill-rule="evenodd" fill-opacity="${between(0.25, 0.9).toFixed(2)}" d="${pathData(solid(letter))}"/>`;
  return chance() < 0.2 ? edge : filling + edge;
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

/** A curve from the top edge to the bottom one, between letters as often as through them, in a part of the width. */
function downPath(part: number): string {
  const top = ((part + chance()) / DOWN) * PICTURE_WIDTH;
  const x = (): string => fixed(top + between(-45, 45));
  return `M${fixed(top)} ${fixed(between(0, 8))}C${x()} ${fixed(PICTURE_HEIGHT / 3)} ${x()} ${fixed((PICTURE_HEIGHT / 3) * 2)} ${x()} ${fixed(PICTURE_HEIGHT - between(0, 8))}`;
}

/** The number of vertical curves. Each has its part of the width, so that no letter is crossed by many. */
const DOWN = 5;

/** Curves in the letters' ink and in the ground's, all much thinner than a letter's stroke: people ignore them. */
function crossings(ink: string, ground: string): string {
  const curve = (colour: string, path: string, width: number): string =>
    `<path fill="none" stroke="${colour}" stroke-width="${fixed(width)}" stroke-linecap="round" d="${path}"/>`;
  return [
    ...[0, 1].map(() => curve(ink, acrossPath(), between(1.4, 2.6))),
    ...Array.from({ length: DOWN }, (_, part) => curve(ink, downPath(part), between(1.4, 3))),
    curve(ground, acrossPath(), between(1.1, 2)),
    ...[0, 3].map((part) => curve(ground, downPath(part + chance()), between(1.1, 2))),
  ].join('');
}

/** Faint large blobs, so that a single threshold does not clean the background. */
function blots(ink: string): string {
  return Array.from(
    { length: 7 },
    () =>
      `<ellipse cx="${fixed(chance() * PICTURE_WIDTH)}" cy="${fixed(chance() * PICTURE_HEIGHT)}" rx="${fixed(between(10, 48))}" ry="${fixed(between(8, 30))}" fill="${ink}" fill-opacity="${between(0.06, 0.16).toFixed(2)}"/>`,
  ).join('');
}

/** Small dots and dashes in both colours, on letters and background. */
function specks(ink: string, ground: string): string {
  const speck = (colour: string): string => {
    const [x, y] = [chance() * PICTURE_WIDTH, chance() * PICTURE_HEIGHT];
    return `<path stroke="${colour}" stroke-width="${fixed(between(1, 2.2))}" stroke-linecap="round" d="M${fixed(x)} ${fixed(y)}l${fixed(between(-5, 5))} ${fixed(between(-5, 5))}"/>`;
  };
  return Array.from({ length: 40 }, (_, i) => speck(i % 2 === 0 ? ink : ground)).join('');
}
