/** `koa-django-session/session`: the session, its middleware and its formats. */
export type { Deadline } from '../db/deadline.js';
export type { SavedExpiry } from './change.js';
export {
  type CodecOptions,
  type CodecSettings,
  type OnSuspicious,
  SessionCodec,
  Unreadable,
  type Verification,
} from './codec.js';
export { type AnyData, type ExpiryOptions, type Mapping, SessionDictionary } from './dictionary.js';
export type { MemberTexts } from './document.js';
export type { SessionEvent } from './events.js';
export type { ExpiryInput, ExpirySettings } from './expiry.js';
export { withItemAccess } from './item_access.js';
export { newSessionKey, validSessionKey } from './key.js';
export { type SessionsOptions, sessions } from './middleware.js';
export type { JoinedWrite, NewKeyOptions } from './new_key.js';
export { type AnyRequest, type OpenSessionOptions, openSession } from './open_session.js';
export type { SessionOptions, SessionSettings } from './options.js';
export { requestDeadline } from './request_deadline.js';
export { commitSession } from './response.js';
export { Session } from './session.js';
export { SessionBase } from './session_base.js';
export type { DeclaredData, SessionData, SessionItems } from './session_data.js';
export type { Companion, SessionChange, SessionRecord, SessionStore, WrittenCookie } from './store.js';
