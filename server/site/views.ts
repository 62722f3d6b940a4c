/** Pages from templates: koa-views in front, one Nunjucks environment behind it, and what every page is given. */
import { relative } from 'node:path';
import type { Context, Middleware } from 'koa';
import koaViews from 'koa-views';
import nunjucks from 'nunjucks';
import { pathOf } from '../http/target.js';
import { patch_vary_headers } from '../index.js';
import { errorDetail } from './error_details.js';
import { LANGUAGES, type Language, languageOf, languageTag, messages } from './i18n.js';
import { type Notice, takeNotices } from './notices.js';
import { staticAddress } from './static_files.js';
import { VIEWS } from './views_folder.js';

declare module 'koa' {
  interface ExtendableContext {
    /** koa-views: render a template into the response's body. */
    render(view: string, locals?: object): Promise<string>;
  }
}

export interface PageOptions {
  readonly LANGUAGE_COOKIE_NAME: string;
  readonly SESSION_COOKIE_NAME: string;
  /** Whether lab and second login are there to be linked to, and errors may say more. */
  readonly lab: boolean;
  /** Whether there is a page of the user's sessions. */
  readonly sessions: boolean;
}

/**
 * The environment of the templates. Everything is escaped; a name that a template uses and a page does not give is an
 * error, not a blank.
 */
function createEnvironment(): nunjucks.Environment {
  const loader = new nunjucks.FileSystemLoader(VIEWS, { noCache: false, watch: false });
  return new nunjucks.Environment(loader, { autoescape: true, throwOnUndefined: true });
}

/** HTML that a template is to print as it is. Only for what was checked. */
export function markup(html: string): object {
  return new nunjucks.runtime.SafeString(html);
}

const printable = ({ text, safe, bad }: Notice): object => ({ text: safe ? markup(text) : text, bad });

/** What is said of a user on a page. */
interface Visitor {
  readonly id: number | string;
  readonly username: string;
}

const visitorOf = ({ user }: Context): Visitor | null =>
  user.is_authenticated ? { id: user.id, username: user.get_username() } : null;

/** The renderer of pages, with what the layout needs in every language. */
export class Pages {
  /**
   * Middleware that gives every request `ctx.render`. koa-views is told to use our environment: with its own engine it
   * would compile a template at every render, could not find what a template extends, and would take locals with the
   * names `settings`, `loader` or `nunjucksEnv` for its own.
   */
  readonly middleware: Middleware;
  readonly #environment = createEnvironment();
  readonly #missing = new WeakMap<Context, string>();
  readonly #options: PageOptions;

  constructor(options: PageOptions) {
    this.#options = options;
    const render = (file: string, locals: object): Promise<string> => this.#print(relative(VIEWS, file), locals);
    this.middleware = koaViews(VIEWS, { map: { html: 'html' }, engineSource: { html: render } });
  }

  language(ctx: Context): Language {
    return languageOf(ctx, this.#options.LANGUAGE_COOKIE_NAME);
  }

  /** Render `views/<name>.html` for this visitor. The status stays as it is set. */
  async render(ctx: Context, name: string, locals: object = {}): Promise<void> {
    await this.#fill(ctx, name, visitorOf(ctx), locals);
  }

  /** A page to be rendered when the middleware is through: headers are set now, and the answer is HTML text. */
  later(ctx: Context, name: string): (locals: object) => Promise<string> {
    const common = this.#prepare(ctx, visitorOf(ctx));
    return (locals) => this.#print(`${name}.html`, { ...common, ...locals });
  }

  /** What the page of 404 says of this address in place of its general sentence. The handler then leaves the body unset. */
  missing(ctx: Context, text: string): void {
    this.#missing.set(ctx, text);
  }

  /**
   * The page of an error, for `exceptions({ render })`. It asks for no user and no session: it has to be there when the
   * database is not.
   */
  readonly error = async (ctx: Context, status: number, message: string): Promise<string> => {
    const language = this.language(ctx);
    const texts: Readonly<Record<string, unknown>> = messages(language);
    const title = texts[`error_${status}`];
    // Whether a cookie leads to a user is not known here. Who sent none was not logged in.
    const text =
      (status === 404 ? this.#missing.get(ctx) : undefined) ??
      (ctx.request.COOKIES.has(this.#options.SESSION_COOKIE_NAME)
        ? texts[`error_${status}_text_session`]
        : undefined) ??
      texts[`error_${status}_text`];
    const known = typeof title === 'string' && typeof text === 'string';
    return this.#fill(ctx, 'error', undefined, {
      status,
      title: known ? title : texts[status < 500 ? 'error_400' : 'error_500'],
      text: known ? text : null,
      // In development the reason too, where there is more to say than the text above it.
      detail: known && (!this.#options.lab || status === 404 || status === 405) ? null : errorDetail(message, language),
    });
  };

  #fill(ctx: Context, name: string, visitor: Visitor | null | undefined, locals: object): Promise<string> {
    return ctx.render(name, { ...this.#prepare(ctx, visitor), ...locals });
  }

  /** Sets the headers that every page has, and returns what every page is given. */
  #prepare(ctx: Context, visitor: Visitor | null | undefined): object {
    const language = this.language(ctx);
    // Pages say who is logged in, so that no cache may keep them; and they differ by cookie and by language.
    ctx.set('Cache-Control', 'no-store');
    ctx.set('Content-Language', languageTag(language));
    patch_vary_headers(ctx, 'Cookie', 'Accept-Language');
    return {
      m: messages(language),
      lang: languageTag(language),
      languages: this.#languageLinks(ctx, language),
      here: pathOf(ctx) ?? '/',
      stylesheet: STYLESHEET,
      icon: ICON,
      lab: this.#options.lab,
      sessions: this.#options.sessions,
      // The page of an error leaves them to the next page: it may be shown outside of the session.
      notices: visitor === undefined ? [] : takeNotices(ctx).map(printable),
      // null: nobody. undefined: not asked, because the page must not need to know.
      visitor: visitor ?? null,
      asked: visitor !== undefined,
      // Made when a template prints it and not before: a page without a form sends no CSRF cookie.
      csrf_token: { toString: () => ctx.csrf_token },
    };
  }

  #print(name: string, locals: object): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#environment.render(name, locals, (error, html) => {
        if (error !== null || html === null) reject(error ?? new Error(`${name} rendered to nothing.`));
        else resolve(html);
      });
    });
  }

  /** Links to this page in the other languages; where this page answers a form, to what a GET of it shows. */
  #languageLinks(ctx: Context, current: Language): readonly object[] {
    const path = pathOf(ctx);
    const next = encodeURIComponent(path === null ? '/' : ctx.method === 'GET' ? ctx.url : path);
    return LANGUAGES.filter((language) => language !== current).map((language) => ({
      href: `/language/${language}/?next=${next}`,
      tag: languageTag(language),
      name: LANGUAGE_NAMES[language],
    }));
  }
}

const STYLESHEET = staticAddress('style.css');
const ICON = staticAddress('icon.svg');

/** Each language in its own words. */
const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: 'English', 'zh-hans': '简体中文' };
