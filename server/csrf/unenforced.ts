/** Requests of test clients, whose forms need no token (Django's `request._dont_enforce_csrf_checks`). */
import type { IncomingMessage } from 'node:http';

/** Only code of this process can add a request, never its content. */
export const UNENFORCED = new WeakSet<IncomingMessage>();
