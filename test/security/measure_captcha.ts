/**
 * `npm run measure:captcha`: how many of the captcha's pictures programs read. Two attackers get the PNG bytes that the
 * server sends: a matcher of our own, taught with pictures drawn here, and tesseract. Exit code 1 when one is over its
 * bound. `--pictures N`, `--letters N` (single letters to learn from, for each character), `--texts N`.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CAPTCHA_ALPHABET, CAPTCHA_LENGTH, newCaptchaText } from '../../server/captcha/answer.js';
import { draw } from '../../server/captcha/draw.js';
import { type Ink, inkOf, Matcher } from './captcha/matcher.js';
import { readPng } from './captcha/png.js';
import { tesseract } from './captcha/tesseract.js';

/** Whole answers, in percent: what was promised. */
const BOUNDS = { matcher: 10, tesseract: 20 } as const;

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

const inkIn = async (text: string): Promise<Ink> => inkOf(readPng(await draw(text)));

async function taught(): Promise<Matcher> {
  const matcher = new Matcher();
  for (const letter of CAPTCHA_ALPHABET) {
    for (let i = 0; i < Number(values.letters); i += 1) matcher.learnLetter(await inkIn(letter), letter);
  }
  for (let i = 0; i < Number(values.texts); i += 1) {
    const text = newCaptchaText();
    matcher.learnText(await inkIn(text), text);
  }
  return matcher;
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
  const matcher = await taught();
  print(`The matcher knows ${matcher.size} letters.`);
  const pictures = Number(values.pictures);
  const scores = { matcher: { whole: 0, letters: 0 }, tesseract: { whole: 0, letters: 0 } };
  const hasTesseract = spawnSync('tesseract', ['--version']).status === 0;
  if (!hasTesseract) print('tesseract is not installed (apt-get install tesseract-ocr); it is left out.');
  for (let i = 0; i < pictures; i += 1) {
    const text = newCaptchaText();
    const png = await draw(text);
    const ink = inkOf(readPng(png));
    count(scores.matcher, text, matcher.read(ink, CAPTCHA_LENGTH));
    if (hasTesseract) {
      // The better of what it makes of the picture as served and of one cleaned for it.
      const reads = [tesseract(png), tesseract(ink)];
      count(scores.tesseract, text, reads.find((read) => read === text) ?? reads[0] ?? '');
    }
  }
  const percent = (part: number, all: number): number => Math.round((1000 * part) / all) / 10;
  for (const name of hasTesseract ? (['matcher', 'tesseract'] as const) : (['matcher'] as const)) {
    const { whole, letters } = scores[name];
    const share = percent(whole, pictures);
    print(
      `${name}: ${share} % of ${pictures} whole answers, ${percent(letters, pictures * CAPTCHA_LENGTH)} % of letters; allowed: below ${BOUNDS[name]} %.`,
    );
    if (share >= BOUNDS[name]) process.exitCode = 1;
  }
}

await main();
