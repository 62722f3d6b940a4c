/** Parses the Set-Cookie headers of an answer. */
import type { Settings } from '../../index.js';
import { isSecretCookie, mask } from './mask.js';

export interface SentCookie {
  readonly name: string;
  /** Shortened if it is secret. */
  readonly value: string;
  readonly isSecret: boolean;
  /** The whole value, which the browser now has. Pages show `value`. */
  readonly whole: string;
  /** In the header's order, such as ['Max-Age', '1209600'] and ['HttpOnly', '']. */
  readonly attributes: readonly (readonly [name: string, value: string])[];
  readonly bytes: number;
}

/** The maximum characters of a value. */
const SHOWN = 500;

/** @param line as in Node: one character per byte */
export function sentCookie(line: string, settings: Settings): SentCookie {
  // A `;` in a value is printed as \073.
  const [pair = '', ...attributes] = Buffer.from(line, 'latin1').toString('utf8').split(';');
  const [name, whole] = halves(pair);
  const isSecret = isSecretCookie(name, settings) && whole !== '' && whole !== '""';
  return {
    name,
    value: isSecret ? mask(whole) : whole.length > SHOWN ? `${whole.slice(0, SHOWN)}…` : whole,
    isSecret,
    whole: whole.slice(0, SHOWN),
    attributes: attributes.map((attribute) => halves(attribute.trim())),
    bytes: line.length,
  };
}

function halves(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** Max-Age in seconds: null until the browser closes, 0 or less to delete it now. */
export function maxAgeOf({ attributes }: SentCookie): number | null {
  const max_age = attributes.find(([name]) => name === 'Max-Age')?.[1];
  return max_age === undefined ? null : Number(max_age);
}

export const isDeletion = (cookie: SentCookie): boolean => {
  const max_age = maxAgeOf(cookie);
  return max_age !== null && max_age <= 0;
};
