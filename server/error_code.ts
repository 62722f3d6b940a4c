/** The `code` of an error: PostgreSQL's SQLSTATE, or Node's, such as ENOENT. */

/** Undefined if it has none, or is no object. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Whether an error has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  return codes.some((wanted) => wanted === code);
}
