/** What a test posts → the body of a request. */

export interface EncodedBody {
  readonly body: Buffer;
  readonly content_type: string | null;
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;

/**
 * Texts and bytes go as they are. With a JSON `content_type` any other value goes as JSON; otherwise FormData as a multipart
 * form, and an object's members as the fields of a URL-encoded one, a list as a field several times.
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
  // fetch's own encoder draws a boundary and writes it down.
  const form = new Response(data instanceof FormData || data instanceof URLSearchParams ? data : fieldsOf(data));
  const written = form.headers.get('content-type');
  return { body: Buffer.from(await form.arrayBuffer()), content_type: content_type ?? written };
}

function fieldsOf(fields: object): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    for (const each of Array.isArray(value) ? value : [value]) form.append(name, String(each));
  }
  return form;
}
