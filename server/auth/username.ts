/** User names in one form, as AbstractBaseUser.normalize_username, and no work for a name that no account has. */

/**
 * In UTF-16 code units: any spelling of a name of 254 characters fits, also with all its letters decomposed. Django's
 * column holds 150.
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
 * What all spellings of a name have in common, to count by: whatever its case, its look-alikes and the blanks around
 * it. Of a longer name only the first MAX_NAME_LENGTH code units count.
 */
export function foldUsername(username: string): string {
  return username.trim().slice(0, MAX_NAME_LENGTH).normalize('NFKC').trim().toLowerCase();
}
