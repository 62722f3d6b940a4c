/** A form's fields, as django.http.QueryDict. */
import { isUtf8 } from 'node:buffer';
import { SuspiciousOperation } from '../errors.js';
import { appendlist, MultiValueDict } from './multi_value_dict.js';
import { parse_qsl } from './parse_qsl.js';

/**
 * The fields of a form: names with one or more texts each, in the order they were sent.
 *
 * ```ts
 * const POST: QueryDict = ctx.request.POST; // of colour=red&colour=blue
 * POST.get('colour'); // blue
 * POST.getlist('colour'); // red and blue
 * ```
 */
export class QueryDict extends MultiValueDict<string> {}

/** The form of a request without one. */
export const NO_FIELDS = new QueryDict();

/**
 * Read `application/x-www-form-urlencoded`. Escapes that are not UTF-8 become U+FFFD, a name without `=` has the value ''.
 * A body that is not UTF-8 before its escapes are read is taken for ISO 8859-1, as in Django.
 *
 * @throws SuspiciousOperation (400) for more than `maxFields` fields, Django's TooManyFieldsSent
 */
export function parseForm(body: Buffer, maxFields: number): QueryDict {
  if (body.length === 0) return NO_FIELDS;
  let fields = 1;
  for (const byte of body) if (byte === 0x26) fields += 1;
  if (fields > maxFields) throw tooManyFields(maxFields);
  const values = new Map<string, string[]>();
  // As Django does with a body that is not UTF-8.
  const text = body.toString(isUtf8(body) ? 'utf8' : 'latin1');
  for (const [name, value] of parse_qsl(text)) appendlist(values, name, value);
  return new QueryDict(values);
}

/** Django's TooManyFieldsSent. */
export function tooManyFields(maxFields: number): SuspiciousOperation {
  return new SuspiciousOperation(
    `The form has more than ${maxFields} fields, the value of DATA_UPLOAD_MAX_NUMBER_FIELDS.`,
  );
}

/**
 * The fields of a form that another parser has read: members that are strings or lists of strings. Objects (`a[b]=1`,
 * parsed by qs) are skipped, because their original names are lost.
 */
export function mirroredFields(body: unknown): QueryDict {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || ArrayBuffer.isView(body)) return NO_FIELDS;
  const values = new Map<string, string[]>();
  for (const [name, value] of Object.entries(body) as [string, unknown][]) {
    for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof each === 'string') appendlist(values, name, each);
    }
  }
  return new QueryDict(values);
}
