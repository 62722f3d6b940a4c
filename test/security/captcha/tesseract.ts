/** tesseract as an attacker of the captcha: told that it is one line and of which characters. */
import { spawnSync } from 'node:child_process';
import { CAPTCHA_ALPHABET } from '../../../server/captcha/answer.js';
import type { Ink } from './matcher.js';

/** What it reads in a picture as served, or in cleaned ink, which is enlarged for it. */
export function tesseract(picture: Buffer | Ink): string {
  const { stdout } = spawnSync(
    'tesseract',
    ['stdin', 'stdout', '--psm', '7', '--dpi', '150', '-c', `tessedit_char_whitelist=${CAPTCHA_ALPHABET}`],
    {
      input: Buffer.isBuffer(picture) ? picture : bitmap(picture),
      encoding: 'utf8',
      env: { ...process.env, OMP_THREAD_LIMIT: '1' },
    },
  );
  return stdout.replace(/\s/g, '').toUpperCase();
}

const TIMES = 2;

/** A PGM file (netpbm), black on white. */
function bitmap({ width, height, amount }: Ink): Buffer {
  const pixels = Buffer.alloc(width * height * TIMES * TIMES);
  for (let y = 0; y < height * TIMES; y += 1) {
    for (let x = 0; x < width * TIMES; x += 1) {
      const ink = amount[Math.floor(y / TIMES) * width + Math.floor(x / TIMES)] ?? 0;
      pixels[y * width * TIMES + x] = ink > 0.35 ? 0 : 255;
    }
  }
  return Buffer.concat([Buffer.from(`P5\n${width * TIMES} ${height * TIMES}\n255\n`, 'latin1'), pixels]);
}
