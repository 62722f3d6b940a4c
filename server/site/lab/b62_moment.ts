/** The time in a signed text. */
import { b62_decode } from '../../index.js';

// Seconds since 1970 in base 62 have 6 digits until the year 3769.
const TIME = /^[0-9A-Za-z]{1,7}$/;

/** `1vb66i` → the time; null if it is invalid. */
export function b62Moment(text: string): Date | null {
  return TIME.test(text) ? new Date(Number(b62_decode(text)) * 1000) : null;
}
