/**
 * SESSION_EXPIRE_DATE_STEP: rounds a row's expire_date up, so that many saves leave it unchanged. The column is indexed,
 * and PostgreSQL's cheaper heap-only (HOT) update is possible only if no indexed column changes.
 */
interface Ending {
  readonly session_key: string;
  readonly expire_date: Date;
  /** Seconds from the write to `expire_date`. Absent if saves do not extend the session. */
  readonly lifetime?: number | undefined;
}

/** Python's datetime.max: Django cannot read a row with a later date. */
const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Rounds expire_date up to a multiple of the step, which is `part` of the session's lifetime. A hash of the key offsets
 * the multiples, so that rows are not updated, and do not expire, all at once. Without `lifetime`, returns expire_date.
 *
 * @param part the step as a fraction of the lifetime; 0 to return expire_date itself
 */
export function storedExpireDate({ session_key, expire_date, lifetime = 0 }: Ending, part: number): Date {
  const step = Math.round(lifetime * 1000 * part);
  if (step <= 0) return expire_date;
  const phase = hash(session_key) % step;
  const stored = Math.ceil((expire_date.getTime() - phase) / step) * step + phase;
  return stored <= LAST_MOMENT ? new Date(stored) : expire_date;
}

/** FNV-1a, 32 bits: a distribution of keys, not a protection. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
