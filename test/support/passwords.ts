/** Passwords that break a URL if they are not percent-encoded. Their letter sequences occur in no message of ours. */
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
  // The user name before it looks like a host, the digits like its port.
  '7788/zqxjkv',
  '7788#zqxjkv',
  '7788?zqxjkv',
  // Looks like another host.
  'zqxj@kvwy/wyzq',
  'zqxj@kvwy:7788/wyzq?xjkv=zqxj',
  '@zqxjkvwy',
  '//zqxjkvwy',
  ',zqxj,kvwy',
  'zqxj\tkvwy',
  'žqxj–kvwy',
];

/** Characters of a password that count as leaked: enough to help guessing, too many to occur by chance. */
const LENGTH = 4;

/**
 * A part of the password, plain or percent-encoded, that is in the text; undefined if there is none. A part of punctuation
 * alone does not count: any text has some, such as `]: '`.
 */
export function partOf(password: string, text: string): string | undefined {
  for (const form of [password, encodeURIComponent(password)]) {
    for (let start = 0; start + LENGTH <= form.length; start += 1) {
      const part = form.slice(start, start + LENGTH);
      if (/[\p{L}\p{N}]/u.test(part) && text.includes(part)) return part;
    }
  }
  return undefined;
}
