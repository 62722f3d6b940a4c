/** Values as PostgreSQL reads them from text, and names (PostgreSQL manual, 4.1.1, 8.5 and 8.15). */

/** A name of whatever characters: `"a ""name"""`. */
export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * `2026-11-26T09:30:00.000Z`; JavaScript's `+012026-…` and `-000043-…` as PostgreSQL writes such years.
 * @throws RangeError for a Date that is none
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
  // Looked for before it is replaced: session_data is long, and has neither.
  item.includes('"') || item.includes('\\') ? `"${item.replace(/["\\]/g, '\\$&')}"` : `"${item}"`;

/** `{"a","b"}`, an array of texts or of what is given as texts. */
export function arrayText(items: readonly string[]): string {
  return `{${items.map(quoted).join(',')}}`;
}
