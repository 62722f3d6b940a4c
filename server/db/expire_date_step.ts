/**
 * The expire_date that a row gets with SESSION_EXPIRE_DATE_STEP: further ahead than the session's end, so that it can stay
 * for many saves. The column is indexed, and PostgreSQL's cheap update (heap-only) is for those that change no index.
 */
interface Ending {
  readonly session_key: string;
  readonly expire_date: Date;
  /** Seconds from the write to `expire_date`; absent where the end is fixed. */
  readonly lifetime?: number | undefined;
}

/** Python's datetime.max: a row beyond it breaks every Django that reads it. */
const LAST_MOMENT = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * The next one of the moments that lie `part` of the session's life apart; each key has its own, so that rows do not move,
 * nor expire, all at once. Never before the end, which is given as it is where it does not move with each save.
 *
 * @param part of the life; 0 for the end itself
 */
export function storedExpireDate({ session_key, expire_date, lifetime = 0 }: Ending, part: number): Date {
  const step = Math.round(lifetime * 1000 * part);
  if (step <= 0) return expire_date;
  const phase = hash(session_key) % step;
  const stored = Math.ceil((expire_date.getTime() - phase) / step) * step + phase;
  return stored <= LAST_MOMENT ? new Date(stored) : expire_date;
}

/** FNV-1a, 32 bits: spreads, protects nothing. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
