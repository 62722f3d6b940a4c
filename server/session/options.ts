/** What a session is made with. */
import type { Clock } from '../clock.js';
import type { Settings } from '../settings.js';
import type { SessionCodec } from './codec.js';
import type { SessionEvent } from './events.js';
import type { ExpirySettings } from './expiry.js';
import type { SessionStore } from './store.js';
import type { VerifiedTexts } from './verified.js';

export type SessionSettings = ExpirySettings & Pick<Settings, 'SESSION_SAVE_EVERY_REQUEST'>;

/** What a `Session` is made of. An application calls `openSession`. */
export interface SessionOptions {
  readonly store: SessionStore;
  readonly codec: SessionCodec;
  /** Texts that were verified before, shared by all sessions of the codec. */
  readonly verified?: VerifiedTexts;
  readonly settings: SessionSettings;
  /** The cookie's value; fewer than 8 characters, or what no row can have as its key, counts as none. */
  readonly session_key?: string | null | undefined;
  readonly now?: Clock;
  /** Draws keys; `newSessionKey` unless given. */
  readonly newSessionKey?: () => string;
  /** Told what happens to the session. */
  readonly observe?: ((event: SessionEvent) => void) | undefined;
}
