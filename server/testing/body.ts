/** Encodes a test's data as the body of a request. */
import { ValueError } from '../errors.js';

export interface EncodedBody {
  readonly body: Buffer;
  readonly content_type: string | null;
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;
const URL_ENCODED = /^application\/x-www-form-urlencoded\b/i;
const MULTIPART = /^multipart\/form-data\b/i;

/**
 * Strings and bytes are sent unchanged. With a JSON `content_type` any other value is sent as JSON; otherwise FormData
 * as a multipart form, and an object as a URL-encoded form, where a list is a repeated field.
 *
 * @throws ValueError for values that would be sent wrongly or not at all, which would make a test meaningless
 */
export async function encodeBody(data: object | string | undefined, content_type?: string): Promise<EncodedBody> {
  if (data === undefined) return { body: Buffer.alloc(0), content_type: null };
  if (typeof data === 'string') return { body: Buffer.from(data), content_type: content_type ?? 'text/plain' };
  if (data instanceof Uint8Array) {
    return { body: Buffer.from(data), content_type: content_type ?? 'application/octet-stream' };
  }
  if (content_type !== undefined && JSON_TYPE.test(content_type)) {
    return { body: Buffer.from(JSON.stringify(data)), content_type };
  }
  const isMultipart = data instanceof FormData;
  if (content_type !== undefined && !(isMultipart ? MULTIPART : URL_ENCODED).test(content_type)) {
    throw new ValueError(
      `An object is sent as a URL-encoded form or as JSON, a FormData as a multipart form. Make the ${content_type} yourself, and give it as a text or a Uint8Array.`,
    );
  }
  // fetch's encoder chooses the boundary and sets it in the header.
  const form = new Response(isMultipart || data instanceof URLSearchParams ? data : fieldsOf(data));
  const written = form.headers.get('content-type');
  return {
    body: Buffer.from(await form.arrayBuffer()),
    content_type: isMultipart ? written : (content_type ?? written),
  };
}

function fieldsOf(fields: object): URLSearchParams {
  if (!isPlain(fields)) {
    throw new ValueError(
      "Give the body as a text, a Uint8Array, a FormData, URLSearchParams, or a plain object of fields. Other values are sent as JSON with { content_type: 'application/json' }.",
    );
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    for (const each of Array.isArray(value) ? value : [value]) form.append(name, fieldText(name, each));
  }
  return form;
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** A form's field is text; Django's Client also refuses None (django/test/client.py, encode_multipart). */
function fieldText(name: string, value: unknown): string {
  if (value === null || value === undefined) {
    throw new ValueError(
      `A form cannot hold ${value} in its field "${name}". Give an empty text, or leave the field out.`,
    );
  }
  if (value instanceof Blob) {
    throw new ValueError(`A URL-encoded form cannot hold the file in its field "${name}". Give a FormData.`);
  }
  if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') {
    throw new ValueError(
      `A form cannot hold an object in its field "${name}". Give texts, numbers, booleans or a list of them, or JSON with { content_type: 'application/json' }.`,
    );
  }
  return String(value);
}
