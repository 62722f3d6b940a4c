/** The pages of "Sessions, explained": each claim with the button that shows it. */
import type { ExplainedMessages } from '../messages/explained_en.js';

type Chapters = ExplainedMessages['chapters'];
export type ChapterName = keyof Chapters;
type ClaimName<Chapter extends ChapterName> = keyof Chapters[Chapter]['claims'];

export interface Press {
  /** A step of the lab, with its fields. */
  readonly do?: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** A field that the visitor fills in. */
  readonly input?: string;
  /** Whether the result is visible only after a reload: the answer to a navigation deletes a dead cookie. */
  readonly reload?: boolean;
  /** A page of the site. */
  readonly href?: string;
}

const step = (name: string, fields: Readonly<Record<string, string>> = {}): Press => ({ do: name, fields });
const cookie = (name: string, value: string, further: Readonly<Record<string, string>> = {}): Press =>
  step('set_cookie', { name, cookie: value, path: '/lab/', ...further });
const anew = (press: Press): Press => ({ ...press, reload: true });
const VISITS = { name: 'visits', salt: 'lab' };

export const PRESSES: { readonly [Chapter in ChapterName]: Readonly<Record<ClaimName<Chapter>, Press>> } = {
  what: {
    dictionary: step('set', { key: 'theme', value: 'dark' }),
    again: step('get', { key: 'theme' }),
    key: step('get_cookie', { name: 'sessionid' }),
    end: step('flush'),
  },
  http: {
    alone: step('keys'),
    without: step('delete_cookie', { name: 'sessionid', path: '/' }),
    stranger: step('set', { key: 'theme', value: 'light' }),
  },
  cookies: {
    set: cookie('colour', 'blue', { max_age: '3600' }),
    back: step('get_cookie', { name: 'colour' }),
    delete: step('delete_cookie', { name: 'colour', path: '/lab/' }),
  },
  headers: {
    max_age: cookie('tea', 'green', { max_age: '60' }),
    httponly: cookie('tea', 'green', { httponly: 'on' }),
    samesite: cookie('tea', 'green', { samesite: 'Lax' }),
    path: cookie('tea', 'green'),
    secure: cookie('tea', 'green', { secure: 'on' }),
  },
  limits: {
    large: cookie('large', 'x'.repeat(4200)),
    overwrite: cookie('colour', 'green', { max_age: '3600' }),
    twice: cookie('colour', 'red', { max_age: '3600', path: '/' }),
    which: step('get_cookie', { name: 'colour' }),
  },
  browsers: {
    jar: step('other_browser'),
    tabs: step('tabs_merge'),
    stolen: step('cycle_key'),
  },
  signed: {
    sign: step('set_signed_cookie', { ...VISITS, cookie: '3', path: '/lab/', max_age: '3600' }),
    read: step('get_signed_cookie', VISITS),
    forge: step('forge', { name: 'visits', path: '/lab/' }),
    found: step('get_signed_cookie', VISITS),
  },
  sessions: {
    row: step('set', { key: 'city', value: '上海' }),
    look: step('get', { key: 'city' }),
    list: step('set', { key: 'cart', value: '["milk"]' }),
    inside: step('append', { key: 'cart', value: 'tea' }),
    told: step('append', { key: 'cart', value: 'tea', modified: 'on' }),
    interrupted: anew(step('tabs_interrupt')),
  },
  expiry: {
    usual: step('get_expiry_age'),
    seconds: step('set_expiry_seconds', { seconds: '300' }),
    browser: step('set_expiry_browser'),
    date: step('set_expiry_date', { date: '2040-01-01T00:00' }),
    none: step('set_expiry_none'),
    swept: step('clear_expired', { plant: 'on' }),
  },
  login: {
    in: step('login_first'),
    hash: step('items'),
    out: step('logout'),
    elsewhere: anew(step('tabs_logout')),
  },
  captcha: {
    draw: step('captcha_draw'),
    answer: { ...step('captcha_accept'), input: 'typed' },
    form: { href: '/login/' },
  },
  question: {
    first: step('login_first'),
    data: step('set', { key: 'cart', value: '["milk"]' }),
    second: step('login_second'),
    form: { href: '/second-login/' },
  },
};

export const CHAPTERS = Object.keys(PRESSES) as ChapterName[];

export const EXPLAINED_PATH = '/lab/explained/';
export const chapterPath = (name: ChapterName): string => `${EXPLAINED_PATH}${name}/`;

export const chapterOf = (text: string | undefined): ChapterName | undefined => CHAPTERS.find((name) => name === text);

/** The page of a claim such as `cookies.set`; null for an unknown claim. */
export function claimPath(claim: string): string | null {
  const [chapter, name = ''] = claim.split('.', 2);
  const known = chapterOf(chapter);
  return known !== undefined && Object.hasOwn(PRESSES[known], name) ? chapterPath(known) : null;
}
