/** Formats values and identifiers for PostgreSQL (PostgreSQL manual, 4.1.1, 8.5 and 8.15). */

/** Quotes an identifier: `"a ""name"""`. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * `2026-11-26T09:30:00.000Z`. Years that JavaScript writes as `+012026-…` or `-000043-…` get PostgreSQL's form.
 * @throws RangeError for an invalid Date
 */
export function timestamptzText(date: Date): string {
  const text = date.toISOString();
  if (text.startsWith('+')) return text.replace(/^\+0*/, '');
  if (!text.startsWith('-') && !text.startsWith('0000')) return text;
  // There is no year 0: it is 1 BC.
  const year = 1 - date.getUTCFullYear();
  return `${String(year).padStart(4, '0')}${text.slice(text.indexOf('-', 1))} BC`;
}

const quoted = (item: string): string =>
  // `includes` first, because it is faster, and session_data is long and contains neither.
  item.includes('"') || item.includes('\\') ? `"${item.replace(/["\\]/g, '\\$&')}"` : `"${item}"`;

/** An array literal, such as `{"a","b"}`. */
export function arrayText(items: readonly string[]): string {
  return `{${items.map(quoted).join(',')}}`;
}
