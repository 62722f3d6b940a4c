/** The options of a Session. */
import type { Clock } from '../clock.js';
import type { Deadline } from '../db/deadline.js';
import type { Settings } from '../settings.js';
import type { SessionCodec } from './codec.js';
import type { SessionEvent } from './events.js';
import type { ExpirySettings } from './expiry.js';
import type { SessionStore } from './store.js';
import type { VerifiedTexts } from './verified.js';

/** The settings that a Session depends on. */
export type SessionSettings = ExpirySettings & Pick<Settings, 'SESSION_SAVE_EVERY_REQUEST'>;

/** The options of `new Session`. An application calls `openSession` instead. */
export interface SessionOptions {
  readonly store: SessionStore;
  readonly codec: SessionCodec;
  /** Cache of verified texts, shared by all sessions of the codec. */
  readonly verified?: VerifiedTexts;
  readonly settings: SessionSettings;
  /** The cookie's value; one that `validSessionKey` refuses counts as none. */
  readonly session_key?: string | null | undefined;
  readonly now?: Clock;
  /**
   * Of all the session's waits together, as in a request. Absent: each call has a deadline of its own, because a session that
   * a job has opened may be open for hours.
   */
  readonly deadline?: Deadline | undefined;
  /** Generates keys; default `newSessionKey`. */
  readonly newSessionKey?: () => string;
  /** Called with each event of the session. */
  readonly observe?: ((event: SessionEvent) => void) | undefined;
}
