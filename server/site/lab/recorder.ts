/**
 * Completes the lab's steps and pages after the session's middleware, which saves the row and sets the cookies that they
 * show. A handler registers its work by `later`; the middleware `recorder`, outside of sessions and exceptions, does it.
 */
import type { Context, Middleware } from 'koa';
import { setCookieLines } from '../../http/set_cookie_lines.js';
import { requestDeadline, SessionCodec, SessionInterrupted, type SessionStore } from '../../index.js';
import type { Site } from '../site.js';
import { eventsOf } from './events.js';
import { isSecretCookie, mask } from './mask.js';
import type { Notebook } from './notebook.js';
import { type RowView, rowView, secretsIn } from './row.js';
import { isDeletion, type SentCookie, sentCookie } from './set_cookie.js';
import type { Step } from './step.js';

/** The part of a step that its handler knows. */
export type Draft = Omit<Step, 'received' | 'browserKey' | 'after' | 'events' | 'sent' | 'at' | 'user'>;

interface Pending {
  readonly notebook: Notebook | undefined;
  /** Undefined for a page, which becomes a step only if its answer changes the session's cookie. */
  readonly draft: Draft | undefined;
  /** The row before the request. */
  readonly before: RowView | null;
  /** The redirect of a step. */
  readonly location?: string;
  /** Renders the page, after the step is stored. */
  readonly render?: () => Promise<string>;
}

export class Recorder {
  readonly codec: SessionCodec;
  readonly store: SessionStore;
  readonly #site: Site;
  readonly #pending = new WeakMap<Context, Pending>();

  constructor(site: Site, store: SessionStore) {
    const { settings } = site;
    this.#site = site;
    this.store = store;
    const salted = store.key_salt === undefined ? settings : { ...settings, SESSION_KEY_SALT: store.key_salt };
    this.codec = new SessionCodec(salted, { now: site.now });
  }

  /** The stored row of a key; null if there is none. */
  async row(ctx: Context, session_key: string | null): Promise<RowView | null> {
    const stored = session_key === null ? null : await this.store.stored?.(session_key, requestDeadline(ctx));
    return session_key === null || stored === undefined || stored === null
      ? null
      : rowView(session_key, stored, this.codec);
  }

  /** Texts that must not be shown: session keys, auth hashes, CSRF secrets. */
  async secrets(ctx: Context): Promise<string[]> {
    const { session_key } = ctx.session;
    const cookies = [...ctx.request.COOKIES].filter(([name]) => isSecretCookie(name, this.#site.settings));
    const stored = session_key === null ? null : await this.store.stored?.(session_key, requestDeadline(ctx));
    return [
      ...cookies.map(([, value]) => value),
      ...(session_key === null ? [] : [session_key]),
      ...(stored === undefined || stored === null ? [] : secretsIn(stored.session_data, this.codec)),
    ].filter((secret) => secret.length > 4);
  }

  later(ctx: Context, pending: Pending): void {
    this.#pending.set(ctx, pending);
  }

  readonly middleware: Middleware = async (ctx, next) => {
    let interrupted = false;
    try {
      await next();
    } catch (error) {
      // Thrown as far as here if no `exceptions` is mounted outside of sessions.
      interrupted = error instanceof SessionInterrupted && this.#pending.get(ctx)?.draft !== undefined;
      if (!interrupted) throw error;
    }
    const pending = this.#pending.get(ctx);
    if (pending === undefined) return;
    const { draft, location, render } = pending;
    if (draft !== undefined && ctx.status !== 303) {
      // The save at the end of the request failed. The step shows an interruption; another error stays the answer.
      interrupted ||= ctx.status === 400;
      if (!interrupted) return;
    }
    if (draft === undefined && ctx.status !== 200) return;
    await this.#note(ctx, pending, interrupted);
    if (location !== undefined) {
      ctx.status = 303;
      ctx.redirect(location);
    }
    if (render !== undefined) ctx.body = await render();
  };

  async #note(ctx: Context, { notebook, draft, before }: Pending, interrupted: boolean): Promise<void> {
    if (notebook === undefined) return;
    const { settings, now } = this.#site;
    const { SESSION_COOKIE_NAME } = settings;
    const received = receivedCookies(ctx, settings);
    const session = received.find(({ name }) => name === SESSION_COOKIE_NAME);
    // A page is a step only if its answer changed the session's cookie.
    if (draft === undefined && session === undefined) return;
    const { session_key } = ctx.session;
    const after = await this.row(ctx, interrupted ? (before?.session_key ?? null) : session_key);
    const isMoved = before !== null && before.session_key !== after?.session_key;
    const oldRowStays = isMoved && (await this.row(ctx, before.session_key)) !== null;
    const tabs = draft?.tabs ?? [];
    notebook.add({
      ...(draft ?? visit(notebook, before)),
      at: now(),
      sent: [...ctx.request.COOKIES].map(([name, value]) => [
        name,
        isSecretCookie(name, settings) ? mask(value) : value.slice(0, 500),
      ]),
      received,
      browserKey: browserKey(session, ctx.request.COOKIES.get(SESSION_COOKIE_NAME) ?? null),
      after,
      events: eventsOf({
        before,
        after,
        oldRowStays,
        received,
        sessionCookie: SESSION_COOKIE_NAME,
        interrupted,
        tabs,
      }),
      user: usernameOf(ctx),
    });
  }
}

function receivedCookies(ctx: Context, settings: Site['settings']): SentCookie[] {
  return setCookieLines(ctx.res).map((line) => sentCookie(line, settings));
}

function browserKey(received: SentCookie | undefined, sent: string | null): string | null {
  if (received === undefined) return sent;
  return isDeletion(received) ? null : received.whole;
}

/** The user's name after the request's handlers. */
function usernameOf({ user }: Context): string | null {
  return user.is_authenticated ? user.get_username() : null;
}

function visit(notebook: Notebook, before: RowView | null): Draft {
  return {
    number: notebook.nextNumber(),
    name: 'visit',
    fields: new Map(),
    claim: null,
    code: null,
    outcome: { kind: 'nothing' },
    before,
    accessed: true,
    modified: false,
    tabs: [],
    picture: null,
  };
}
