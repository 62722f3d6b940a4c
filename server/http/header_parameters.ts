/** Parses `form-data; name="a"; filename*=utf-8''b` as django.utils.http.parse_header_parameters. */
import { ValueError } from '../errors.js';
import { appendlist } from './multi_value_dict.js';
import { strip } from './python_text.js';

export interface HeaderParameters {
  /** The part before the first `;`, in lower case. */
  readonly value: string;
  /** By name in lower case; the last of a name wins, and one with a character set over one without. */
  readonly parameters: ReadonlyMap<string, string>;
}

// RFC 2231 sections 3 and 4: filename*, filename*0, filename*1*
const EXTENDED = /^([^*]+)\*(?:([0-9]{1,3})(\*?))?$/;

interface Section {
  readonly number: number;
  readonly text: string;
  readonly encoded: boolean;
}

/** @throws ValueError for an unknown character set */
export function parse_header_parameters(line: string): HeaderParameters {
  const [value = '', ...rest] = splitOutsideQuotes(line);
  const parameters = new Map<string, string>();
  const sections = new Map<string, Section[]>();
  for (const piece of rest) {
    const equals = piece.indexOf('=');
    const name = strip(equals < 0 ? piece : piece.slice(0, equals)).toLowerCase();
    const text = equals < 0 ? '' : unquote(strip(piece.slice(equals + 1)));
    const extended = EXTENDED.exec(name);
    if (extended === null) {
      if (name !== '') parameters.set(name, text);
      continue;
    }
    const [, base = '', number, star] = extended;
    appendlist(sections, base, { number: Number(number ?? 0), text, encoded: number === undefined || star === '*' });
  }
  for (const [name, list] of sections) parameters.set(name, joined(list));
  return { value: strip(value).toLowerCase(), parameters };
}

/** Splits at each `;` outside quotes. An unclosed quote extends to the end. */
function splitOutsideQuotes(line: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index];
    if (character === '"' && line[index - 1] !== '\\') quoted = !quoted;
    else if (character === ';' && !quoted) {
      pieces.push(line.slice(start, index));
      start = index + 1;
    }
  }
  pieces.push(line.slice(start));
  return pieces;
}

/** Only `\\` and `\"` are escapes, so that `C:\new` remains a path. */
function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replaceAll('\\\\', '\\').replaceAll('\\"', '"');
}

/** `utf-8'en'%E6%B8%85` → 清. A text without two `'` names no character set and is UTF-8. */
function joined(sections: readonly Section[]): string {
  const ordered = [...sections].sort((one, other) => one.number - other.number);
  const text = ordered.map((section) => section.text).join('');
  if (!ordered.some((section) => section.encoded)) return text;
  const parts = text.split("'");
  const [charset, encoded] = parts.length < 3 ? ['', text] : [parts[0] ?? '', parts.slice(2).join("'")];
  try {
    return new TextDecoder(charset === '' ? 'utf-8' : charset).decode(percentDecoded(encoded));
  } catch (error) {
    throw new ValueError('A parameter has an unknown character set.', { cause: error });
  }
}

function percentDecoded(text: string): Buffer {
  // Each escape becomes the character of its byte, so all other characters must be bytes already.
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return Buffer.from(
    bytes.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
