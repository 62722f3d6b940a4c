/** Functions that convert a setting's value, from code or text from the environment; undefined when it is not allowed. */

/** Allowed values of SameSite, as in Django's settings; false and null omit the attribute. */
export type SameSite = 'Lax' | 'Strict' | 'None' | false | null;

/** Django reads no booleans from the environment, so these are the usual words, in any case. */
export function boolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.trim().toLowerCase() : '';
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  if (['false', '0', 'no', 'off'].includes(word)) return false;
  return undefined;
}

export function integer(least: number): (value: unknown) => number | undefined {
  return (value) => {
    const number = typeof value === 'string' && /^-?\d+$/.test(value.trim()) ? Number(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= least ? number : undefined;
  };
}

/** 1, 0.5 or .5: digits, digits with a point between, or a point before digits. */
const FRACTION = /^(?:\d+(?:\.\d+)?|\.\d+)$/;

/** A number from 0 to `most`, also as text. */
export function fraction(most: number): (value: unknown) => number | undefined {
  return (value) => {
    const number = typeof value === 'string' && FRACTION.test(value.trim()) ? Number(value) : value;
    return typeof number === 'number' && number >= 0 && number <= most ? number : undefined;
  };
}

export function orNone<T>(read: (value: unknown) => T | undefined): (value: unknown) => T | null | undefined {
  return (value) => (value === null || value === '' || value === 'None' ? null : read(value));
}

export function text(pattern: RegExp): (value: unknown) => string | undefined {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined);
}

/** A list given in code, as JSON text, or separated by commas. */
export function list(value: unknown): readonly string[] | undefined {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? value : undefined;
  if (typeof value !== 'string') return undefined;
  if (value.trim().startsWith('[')) {
    try {
      return list(JSON.parse(value) as unknown);
    } catch {
      return undefined;
    }
  }
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** The entries of an object that was given in code or as JSON text; undefined for all else. */
function entriesOf(value: unknown): [string, unknown][] | undefined {
  if (typeof value === 'string') {
    try {
      return entriesOf(JSON.parse(value) as unknown);
    } catch {
      return undefined;
    }
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
}

/** Texts by name, given in code or as JSON text. */
export function textMap(value: unknown): Readonly<Record<string, string>> | undefined {
  const entries = entriesOf(value);
  const isText = (entry: [string, unknown]): entry is [string, string] =>
    typeof entry[1] === 'string' && entry[1] !== '';
  return entries?.every(isText) ? Object.fromEntries(entries) : undefined;
}

export function oneOf<const T extends string>(...words: readonly T[]): (value: unknown) => T | undefined {
  return (value) => words.find((word) => word === value);
}

/** A name in Node's time zone database, which is IANA's, like Python's. */
export function timeZone(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return value;
  } catch {
    return undefined;
  }
}

/** 'None' is the attribute SameSite=None; false and null leave the attribute out (Django's HttpResponse.set_cookie). */
export function sameSite(value: unknown): SameSite | undefined {
  if (value === null || value === false) return value;
  if (typeof value !== 'string') return undefined;
  const word = value.trim().toLowerCase();
  if (word === 'false' || word === '') return false;
  return ({ lax: 'Lax', strict: 'Strict', none: 'None' } as const)[word];
}

/** Converts `cookie`, or Django's path `django.….cookie.CookieStorage`, to that path. */
export function dottedPath(
  module: string,
  names: readonly string[],
  suffix: string,
): (value: unknown) => string | undefined {
  const paths = new Map<unknown, string>();
  for (const name of names) {
    const path = `${module}.${name}.${name.charAt(0).toUpperCase()}${name.slice(1)}${suffix}`;
    paths.set(name, path).set(path, path);
  }
  return (value) => paths.get(value);
}

/** An object from level to tag, given in code or as JSON text. */
export function tags(value: unknown): Readonly<Record<number, string>> | undefined {
  const entries = entriesOf(value);
  return entries?.every(([level, tag]) => /^\d{1,9}$/.test(level) && typeof tag === 'string')
    ? (Object.fromEntries(entries) as Record<number, string>)
    : undefined;
}

// RFC 6265bis section 4.1.1: path-value and domain-value exclude control characters and ';'.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const ATTRIBUTE = /^[^\u0000-\u001f\u007f;]+$/;
// RFC 9110 section 5.6.2: token.
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
export const ANY = /^[\s\S]+$/;

/** A Domain attribute: no browser keeps a cookie with a scheme, a port, a path or a space in it (RFC 6265, section 5.1.3). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const DOMAIN = /^[^\u0000-\u0020\u007f;/:,]+$/;

/**
 * As Django's resolve_url tells an address from a name: it has a slash or a dot. Control characters are refused, because it
 * goes into a header.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const PAGE = /^(?=.*[/.])[^\u0000-\u001f\u007f;]+$/;
