/** What happens to sessions, for whoever counts it. */

/**
 * `load`: a row was asked for; `miss`: there was none, or it had expired; `save`: a row was written; `merge`: another
 * request had written it meanwhile, and both changes were joined; `interrupted`: it was deleted meanwhile;
 * `suspicious`: its signature did not match, its data could not be read, or nobody can read its expiry.
 */
export type SessionEvent = 'load' | 'miss' | 'save' | 'merge' | 'interrupted' | 'suspicious';
