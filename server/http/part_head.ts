/** The headers of one part of a form, read as django.http.multipartparser.parse_boundary_stream reads them. */
import { ValueError } from '../errors.js';
import { cutFileName, sanitize_file_name } from './file_name.js';
import { type HeaderParameters, parse_header_parameters } from './header_parameters.js';
import type { UploadedFileHead } from './uploaded_file.js';

/** The kind of a part. Django ignores parts without a name, and files without a valid file name. */
export type PartHead =
  | { readonly kind: 'field'; readonly name: string; readonly base64: boolean }
  | { readonly kind: 'file'; readonly head: UploadedFileHead | null; readonly base64: boolean }
  | { readonly kind: 'raw' };

/** All values by name in lower case; values are bytes as Latin-1. */
export type RawHeaders = Readonly<Record<string, readonly string[]>>;

export function readPartHead(headers: RawHeaders): PartHead {
  const disposition = readHeader(headers, 'content-disposition');
  if (disposition === null) return { kind: 'raw' };
  const { parameters } = disposition;
  const name = parameters.get('name');
  const file_name = parameters.get('filename') ?? '';
  const base64 = readHeader(headers, 'content-transfer-encoding')?.value === 'base64';
  // A browser sends filename="" for a file input that was left empty: a field without text, as in Django.
  if (file_name === '') {
    return name === undefined ? { kind: 'raw' } : { kind: 'field', name: stripAscii(name), base64 };
  }
  const safe = sanitize_file_name(file_name);
  if (safe === null || name === undefined) return { kind: 'file', head: null, base64 };
  const type = readHeader(headers, 'content-type');
  return {
    kind: 'file',
    base64,
    head: {
      field_name: stripAscii(name),
      name: cutFileName(safe),
      content_type: type?.value ?? '',
      charset: type?.parameters.get('charset') ?? null,
      content_type_extra: type?.parameters ?? new Map(),
    },
  };
}

/** The last header of a name, as text; null if there is no readable one. */
function readHeader(headers: RawHeaders, name: string): HeaderParameters | null {
  const line = headers[name]?.at(-1);
  if (line === undefined) return null;
  try {
    return parse_header_parameters(Buffer.from(line, 'latin1').toString('utf8'));
  } catch (error) {
    if (error instanceof ValueError) return null;
    throw error;
  }
}

/** Python's bytes.strip(): only ASCII whitespace. */
function stripAscii(text: string): string {
  const isSpace = (index: number): boolean => ' \t\n\r\v\f'.includes(text.charAt(index));
  let [start, end] = [0, text.length];
  while (start < end && isSpace(start)) start += 1;
  while (end > start && isSpace(end - 1)) end -= 1;
  return text.slice(start, end);
}
