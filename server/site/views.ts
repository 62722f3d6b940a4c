/** Renders pages: koa-views with one Nunjucks environment, and the values that every page gets. */
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
  /** Whether lab and second login are linked, and error pages show details. */
  readonly lab: boolean;
  /** Whether the page /sessions/ exists. */
  readonly sessions: boolean;
}

/**
 * The environment of the templates. Everything is escaped; an undefined name in a template is an error.
 */
function createEnvironment(): nunjucks.Environment {
  const loader = new nunjucks.FileSystemLoader(VIEWS, { noCache: false, watch: false });
  return new nunjucks.Environment(loader, { autoescape: true, throwOnUndefined: true });
}

/** HTML that a template prints unescaped. Only for checked HTML. */
export function markup(html: string): object {
  return new nunjucks.runtime.SafeString(html);
}

const printable = ({ text, safe, bad }: Notice): object => ({ text: safe ? markup(text) : text, bad });

/** The data of a user on a page. */
interface Visitor {
  readonly id: number | string;
  readonly username: string;
}

const visitorOf = ({ user }: Context): Visitor | null =>
  user.is_authenticated ? { id: user.id, username: user.get_username() } : null;

/** Renders pages, with the layout's values in every language. */
export class Pages {
  /**
   * Middleware that gives every request `ctx.render`. koa-views uses our environment: its own engine would compile a
   * template at every render, would not find extended templates, and would use locals named `settings`, `loader` or
   * `nunjucksEnv` as its options.
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

  /** Render `views/<name>.html` for this visitor. Does not change the status. */
  async render(ctx: Context, name: string, locals: object = {}): Promise<void> {
    await this.#fill(ctx, name, visitorOf(ctx), locals);
  }

  /** Prepare a page that is rendered after the middleware: sets the headers now. */
  later(ctx: Context, name: string): (locals: object) => Promise<string> {
    const common = this.#prepare(ctx, visitorOf(ctx));
    return (locals) => this.#print(`${name}.html`, { ...common, ...locals });
  }

  /** Sets the text of the 404 page for this URL. The handler must then leave the body unset. */
  missing(ctx: Context, text: string): void {
    this.#missing.set(ctx, text);
  }

  /**
   * The page of an error, for `exceptions({ render })`. It uses neither user nor session, because it must work without
   * the database.
   */
  readonly error = async (ctx: Context, status: number, message: string): Promise<string> => {
    const language = this.language(ctx);
    const texts: Readonly<Record<string, unknown>> = messages(language);
    const title = texts[`error_${status}`];
    // It is unknown here whether a cookie belongs to a user. A visitor without a cookie was not logged in.
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
      // In development also the reason, if it adds to the text.
      detail: known && (!this.#options.lab || status === 404 || status === 405) ? null : errorDetail(message, language),
    });
  };

  #fill(ctx: Context, name: string, visitor: Visitor | null | undefined, locals: object): Promise<string> {
    return ctx.render(name, { ...this.#prepare(ctx, visitor), ...locals });
  }

  /** Sets the headers of every page, and returns the values of every page. */
  #prepare(ctx: Context, visitor: Visitor | null | undefined): object {
    const language = this.language(ctx);
    // Pages show the user, so they must not be cached; they differ by cookie and by language.
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
      // An error page leaves messages to the next page, because it may be rendered outside of the session.
      notices: visitor === undefined ? [] : takeNotices(ctx).map(printable),
      // null: anonymous. undefined: not looked up, because the page must work without it.
      visitor: visitor ?? null,
      asked: visitor !== undefined,
      // Created only when a template prints it: a page without a form sends no CSRF cookie.
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

  /** Links to this page in the other languages; after a POST, to the page of a GET. */
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

/** The name of each language in that language. */
const LANGUAGE_NAMES: Readonly<Record<Language, string>> = { en: 'English', 'zh-hans': '简体中文' };
