/** A visitor of an application, without a port (django.test.Client). */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Context } from 'koa';
import type { AuthenticationBackend, Credentials } from '../auth/backend.js';
import { authenticate, BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY } from '../auth/login.js';
import { get_session_auth_hash } from '../auth/session_hash.js';
import { type AnyOptions, givenOptions, setOptions } from '../auth/state.js';
import { type BaseUser, backendOf } from '../auth/user.js';
import { keepCaptcha, newCaptchaText } from '../captcha/answer.js';
import { ImproperlyConfigured } from '../errors.js';
import { SessionCodec } from '../session/codec.js';
import type { SessionDictionary } from '../session/dictionary.js';
import { withItemAccess } from '../session/item_access.js';
import { settingsFor } from '../session/middleware.js';
import type { Session } from '../session/session.js';
import type { SessionStore } from '../session/store.js';
import type { Settings } from '../settings.js';
import { HttpClient, type HttpClientOptions, type TestedApplication } from './http_client.js';
import { MemorySocket } from './memory_socket.js';
import { ClientSession } from './session.js';

/** The settings, store and clock of the application under test. */
export interface ClientOptions extends HttpClientOptions {
  /** The options of `sessions(app, …)`. Required for methods that use the session. */
  readonly settings?: Settings;
  readonly store?: SessionStore;
  /** The backends of `authentication(app, …)`. Required if it was called for an application mounted in this one. */
  readonly backends?: readonly AuthenticationBackend<BaseUser>[];
}

/**
 * One browser: it sends requests to `app.callback()` and keeps the cookies that come back. They go through Node's own HTTP
 * client and server and the whole application; only the connection is in memory. Nothing has to be closed.
 *
 * ```ts
 * const client = new Client(app, { settings, store });
 * await client.force_login(user);
 * const response = await client.post('/cart/add', { id: 7 });
 * expect(response.status).to.equal(302);
 * expect((await client.session()).get('cart')).to.deep.equal([7]);
 * ```
 *
 * The host is `localhost`, the visitor's address 127.0.0.1.
 */
export class Client extends HttpClient {
  readonly #options: ClientOptions;

  /** @param options those of `sessions(app, …)`, the same store and clock */
  constructor(app: TestedApplication, options: ClientOptions = {}) {
    super(app, options);
    this.#options = options;
  }

  /**
   * The session as stored now; empty without a cookie. `save()` writes it and updates the client's cookie:
   *
   * ```ts
   * const session = await client.session();
   * session['cart'] = [7];
   * await session.save();
   * ```
   *
   * @throws ImproperlyConfigured without `settings` and `store`
   */
  async session(): Promise<Session> {
    const { settings, store } = this.#sessions();
    const { SESSION_COOKIE_NAME: name, SESSION_COOKIE_PATH: path } = settings;
    const session = new ClientSession(
      {
        store,
        codec: new SessionCodec(settingsFor(store, settings), { now: this.now }),
        settings,
        session_key: this.cookies.get(name, path),
        now: this.now,
      },
      (session_key) => {
        if (session_key === null) this.cookies.delete(name, path);
        else this.cookies.set(name, session_key, path);
      },
    );
    await session.load();
    return withItemAccess(session);
  }

  /**
   * Log a user in without a password, like `login`: an anonymous session keeps its data under a new key, another user's
   * is cleared. Does not change `last_login`.
   *
   * @param backend path of the user's backend; default: the one that authenticated the user, or the application's first
   */
  async force_login(user: BaseUser, backend?: string): Promise<void> {
    const path = backend ?? backendOf(user) ?? this.#authentication()?.backends[0]?.path;
    if (path === undefined) {
      throw new ImproperlyConfigured('Give force_login the path of a backend, or the Client the `backends`.');
    }
    const session = await this.session();
    const keys: SessionDictionary = session;
    const values: [string, unknown][] = [
      [SESSION_KEY, String(user.id)],
      [BACKEND_SESSION_KEY, path],
      [HASH_SESSION_KEY, get_session_auth_hash(user, this.#sessions().settings.SECRET_KEY)],
    ];
    const forget = keys.has_key(SESSION_KEY) && String(keys.get(SESSION_KEY)) !== String(user.id);
    await session.cycle_key({ values, forget });
  }

  /** Log in with credentials, checked by the application's backends. @returns false if all backends reject them */
  async login(credentials: Credentials): Promise<boolean> {
    const options = this.#authentication();
    if (options === undefined) {
      throw new ImproperlyConfigured('Call authentication(app, …) first, or give the Client the `backends`.');
    }
    const user = await authenticate<BaseUser>(this.#context(options), credentials);
    if (user !== null) await this.force_login(user);
    return user !== null;
  }

  /** Delete the session and all cookies. */
  async logout(): Promise<void> {
    const session = await this.session();
    await session.flush();
    this.cookies.clear();
  }

  /** Store a captcha's solution in the session, as for a picture. @returns the solution, for a form */
  async plantCaptcha(answer: string = newCaptchaText()): Promise<string> {
    const { settings } = this.#sessions();
    const session = await this.session();
    keepCaptcha(session, answer, { settings, now: this.now() });
    await session.save();
    return answer;
  }

  #sessions(): { readonly settings: Settings; readonly store: SessionStore } {
    const { settings, store } = this.#options;
    if (settings === undefined || store === undefined) {
      throw new ImproperlyConfigured('Give the Client the `settings` and `store` of sessions(app, …).');
    }
    return { settings, store };
  }

  #authentication(): AnyOptions | undefined {
    const { backends } = this.#options;
    if (backends !== undefined) return { settings: this.#sessions().settings, backends };
    return givenOptions(this.app.context as Context);
  }

  /** A context for backends, of a request that is never sent. */
  #context(options: AnyOptions): Context {
    const [, socket] = MemorySocket.pair({ remoteAddress: '127.0.0.1', encrypted: false });
    const req = new IncomingMessage(socket as unknown as Socket);
    Object.assign(req, { method: 'POST', url: '/', headers: { host: 'localhost' } });
    const ctx = this.app.createContext(req, new ServerResponse(req)) as Context;
    setOptions(ctx, options);
    return ctx;
  }
}
