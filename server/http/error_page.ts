/** The page of an error where the application has none of its own, or where its own fails. */
import { STATUS_CODES } from 'node:http';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#x27;',
};

/**
 * Text for HTML, in an element or a quoted attribute, as django.utils.html.escape.
 *
 * ```ts
 * escapeHtml('<b>"Tom" & Ann</b>'); // '&lt;b&gt;&quot;Tom&quot; &amp; Ann&lt;/b&gt;'
 * ```
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** A whole HTML document; `message` is text. */
export function errorPage(status: number, message: string): string {
  const title = `${status} ${STATUS_CODES[status] ?? 'Error'}`;
  return [
    '<!DOCTYPE html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title></head>`,
    `<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p></body>`,
    '</html>',
    '',
  ].join('\n');
}
