/** The fields of a URL-encoded text (Python's urllib.parse.parse_qsl with keep_blank_values). */

/** A run of escapes: the bytes of one character may be several. */
const ESCAPES = /(?:%[0-9A-Fa-f]{2})+/g;

/** Bytes that are not UTF-8 become U+FFFD. Other text beside them stays as it is, which decodes otherwise in URLSearchParams. */
function unquote_plus(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    // Several times as fast, for what nearly all browsers send.
    return decodeURIComponent(spaced);
  } catch {
    // Not UTF-8, or a "%" that is no escape.
  }
  return spaced.replace(ESCAPES, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

/** Names and values in their order. A name without `=` has the value ''. */
export function* parse_qsl(query: string): Generator<readonly [name: string, value: string], void, void> {
  for (const field of query.split('&')) {
    if (field === '') continue;
    const equals = field.indexOf('=');
    if (equals < 0) yield [unquote_plus(field), ''];
    else yield [unquote_plus(field.slice(0, equals)), unquote_plus(field.slice(equals + 1))];
  }
}
