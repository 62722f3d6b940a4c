/** Methods of Python's `str` that differ from JavaScript's String. */

// Python's str.isspace(): Unicode's White_Space plus U+001C to U+001F, and unlike JavaScript's trim() not U+FEFF.
const SPACE = '\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING = new RegExp(`^[${SPACE}]+`);
const IS_SPACE = new RegExp(`[${SPACE}]`);

/** Whether a character is visible ASCII; most texts begin and end with these. */
const isPrintable = (code: number): boolean => code > 32 && code < 127;

/** Python's `text.strip()`. Linear time: a RegExp for trailing space tries every run of spaces in the text. */
export function strip(text: string): string {
  if (isPrintable(text.charCodeAt(0)) && isPrintable(text.charCodeAt(text.length - 1))) return text;
  let end = text.length;
  while (end > 0 && IS_SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end).replace(LEADING, '');
}

/** Python's `repr(text)` as far as error messages need it: quotes, backslashes and control characters. */
export function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
  let body = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const escaped = short[character] ?? (character === quote ? `\\${quote}` : undefined);
    if (escaped !== undefined) body += escaped;
    else if (code < 0x20 || (code >= 0x7f && code < 0xa1) || code === 0xad) body += `\\x${hex(code, 2)}`;
    else if (code >= 0xd800 && code <= 0xdfff) body += `\\u${hex(code, 4)}`;
    else body += character;
  }
  return quote + body + quote;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** The number of code points, Python's `len(text)`. */
export function len(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index += 1) {
    if ((text.charCodeAt(index) & 0xfc00) !== 0xd800 || (text.charCodeAt(index + 1) & 0xfc00) !== 0xdc00) continue;
    count -= 1;
    index += 1;
  }
  return count;
}
