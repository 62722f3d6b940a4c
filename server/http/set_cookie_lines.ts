/** The Set-Cookie headers of a response before it is sent, those of other code included. */
import type { ServerResponse } from 'node:http';

export function setCookieLines(res: Pick<ServerResponse, 'getHeader'>): string[] {
  const header = res.getHeader('Set-Cookie');
  if (header === undefined) return [];
  return Array.isArray(header) ? [...header] : [String(header)];
}

/** The cookie's name; '' for a line without `=`. */
export function cookieNameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf('='))).trim();
}
