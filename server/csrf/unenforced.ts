/** Requests of test clients, whose forms need no token (Django's `request._dont_enforce_csrf_checks`). */
import type { IncomingMessage } from 'node:http';

/** Only code of this process can put a request here; nothing that is sent does. */
export const UNENFORCED = new WeakSet<IncomingMessage>();
