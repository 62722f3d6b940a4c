/** Passwords that break a URL where they are not percent-encoded, made of letters that no sentence of ours has. */
export const NASTY_PASSWORDS: readonly string[] = [
  'zqxj#kvwy',
  'zqxj/kvwy',
  'zqxj?kvwy',
  'zqxj@kvwy',
  'zqxj%kvwy',
  'zqxj%zzkv',
  'zqxj%aakv',
  'zqxj kvwy',
  'zqxj[kvwy',
  '[zqxjkvwy]',
  'zqxj:kvwy',
  'zqxj\\kvwy',
  'zqxj"kvw\'y',
  // What stands before looks like a port.
  '7788/zqxjkv',
  '7788#zqxjkv',
  '7788?zqxjkv',
  // Like a host of its own.
  'zqxj@kvwy/wyzq',
  'zqxj@kvwy:7788/wyzq?xjkv=zqxj',
  '@zqxjkvwy',
  '//zqxjkvwy',
  ',zqxj,kvwy',
  'zqxj\tkvwy',
  'žqxj–kvwy',
];

/** Four characters are enough to guess from, and too many to be there by chance. */
const LENGTH = 4;

/** A part of the password, plain or percent-encoded, that the text has; undefined when it has none. */
export function partOf(password: string, text: string): string | undefined {
  for (const form of [password, encodeURIComponent(password)]) {
    for (let start = 0; start + LENGTH <= form.length; start += 1) {
      const part = form.slice(start, start + LENGTH);
      if (text.includes(part)) return part;
    }
  }
  return undefined;
}
