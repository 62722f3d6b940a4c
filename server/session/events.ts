/** The names of a session's events, for counters. */

/**
 * `load`: a row was asked for; `miss`: there was none, or it had expired; `save`: a row was written; `merge`: another
 * request had written it meanwhile, and both changes were joined; `interrupted`: it was deleted meanwhile;
 * `suspicious`: its signature was wrong, or its data or its `_session_expiry` could not be read.
 */
export type SessionEvent = 'load' | 'miss' | 'save' | 'merge' | 'interrupted' | 'suspicious';
