/** Normalises user names as AbstractBaseUser.normalize_username, with a length limit. */

/**
 * In UTF-16 code units: enough for a name of 254 characters, even with all letters decomposed. Django's column holds
 * 150.
 */
export const MAX_NAME_LENGTH = 1024;

/**
 * Unicode's NFKC, so that names which look alike are one. A name longer than MAX_NAME_LENGTH comes back as it is, as
 * from Django's UsernameField: NFKC takes quadratic time over runs of combining marks (CVE-2025-27556).
 *
 * ```ts
 * normalize_username('ﬁona'); // 'fiona'
 * ```
 */
export function normalize_username(username: string): string {
  return username.length > MAX_NAME_LENGTH ? username : username.normalize('NFKC');
}

/**
 * A form shared by all spellings of a name, for counting: without case, look-alikes and surrounding blanks. Only the
 * first MAX_NAME_LENGTH code units are used.
 */
export function foldUsername(username: string): string {
  return username.trim().slice(0, MAX_NAME_LENGTH).normalize('NFKC').trim().toLowerCase();
}
