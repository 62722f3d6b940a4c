/**
 * `npm run measure:captcha`: how many of the captcha's pictures programs read. Three attackers get the PNG bytes that the
 * server sends: a matcher of our own, taught with pictures drawn here, the same with thin lines removed, and tesseract.
 * Exit code 1 when one is over its bound. `--pictures N`, `--letters N` (single letters to learn from, for each
 * character), `--texts N`.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CAPTCHA_ALPHABET, CAPTCHA_LENGTH, newCaptchaText } from '../../server/captcha/answer.js';
import { draw } from '../../server/captcha/draw.js';
import { type Ink, inkOf, Matcher, withoutThinLines } from './captcha/matcher.js';
import { readPng } from './captcha/png.js';
import { tesseract } from './captcha/tesseract.js';

/** Whole answers, in percent: what was promised. */
const BOUNDS = { matcher: 20, 'matcher without thin lines': 20, tesseract: 20 } as const;

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '200' },
    letters: { type: 'string', default: '40' },
    texts: { type: 'string', default: '150' },
  },
});

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

type Clean = (ink: Ink) => Ink;

const inkIn = async (text: string): Promise<Ink> => inkOf(readPng(await draw(text)));

/** An attacker of the captcha, and what it does to a picture before it looks. */
interface Reader {
  readonly name: 'matcher' | 'matcher without thin lines';
  readonly clean: Clean;
  readonly matcher: Matcher;
}

async function taught(): Promise<readonly Reader[]> {
  const readers: readonly Reader[] = [
    { name: 'matcher', clean: (ink) => ink, matcher: new Matcher() },
    { name: 'matcher without thin lines', clean: withoutThinLines, matcher: new Matcher() },
  ];
  for (const letter of CAPTCHA_ALPHABET) {
    for (let i = 0; i < Number(values.letters); i += 1) {
      const ink = await inkIn(letter);
      for (const { clean, matcher } of readers) matcher.learnLetter(clean(ink), letter);
    }
  }
  for (let i = 0; i < Number(values.texts); i += 1) {
    const text = newCaptchaText();
    const ink = await inkIn(text);
    for (const { clean, matcher } of readers) matcher.learnText(clean(ink), text);
  }
  return readers;
}

interface Score {
  whole: number;
  letters: number;
}

function count(score: Score, text: string, read: string): void {
  if (read === text) score.whole += 1;
  for (let i = 0; i < text.length; i += 1) if (read.charAt(i) === text.charAt(i)) score.letters += 1;
}

async function main(): Promise<void> {
  const matchers = await taught();
  for (const { name, matcher } of matchers) print(`The ${name} knows ${matcher.size} letters.`);
  const pictures = Number(values.pictures);
  const scores = {
    matcher: { whole: 0, letters: 0 },
    'matcher without thin lines': { whole: 0, letters: 0 },
    tesseract: { whole: 0, letters: 0 },
  };
  const hasTesseract = spawnSync('tesseract', ['--version']).status === 0;
  if (!hasTesseract) print('tesseract is not installed (apt-get install tesseract-ocr); it is left out.');
  for (let i = 0; i < pictures; i += 1) {
    const text = newCaptchaText();
    const png = await draw(text);
    const ink = inkOf(readPng(png));
    for (const { name, clean, matcher } of matchers)
      count(scores[name], text, matcher.read(clean(ink), CAPTCHA_LENGTH));
    if (hasTesseract) {
      // The best of what it makes of the picture as served and of two that were cleaned for it.
      const reads = [tesseract(png), tesseract(ink), tesseract(withoutThinLines(ink))];
      count(scores.tesseract, text, reads.find((read) => read === text) ?? reads[0] ?? '');
    }
  }
  const percent = (part: number, all: number): number => Math.round((1000 * part) / all) / 10;
  for (const name of Object.keys(scores) as (keyof typeof scores)[]) {
    if (name === 'tesseract' && !hasTesseract) continue;
    const { whole, letters } = scores[name];
    const share = percent(whole, pictures);
    print(
      `${name}: ${share} % of ${pictures} whole answers, ${percent(letters, pictures * CAPTCHA_LENGTH)} % of letters; allowed: below ${BOUNDS[name]} %.`,
    );
    if (share >= BOUNDS[name]) process.exitCode = 1;
  }
}

await main();
