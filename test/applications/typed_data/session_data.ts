/** What this application keeps in sessions. */
export interface Item {
  readonly id: number;
  readonly count: number;
}

declare module 'koa-django-session' {
  interface SessionData {
    cart: Item[];
    visits: number;
    /** Optional or not is the same: no key is always there. */
    note?: string;
    /** Called like a method of the session's: `get` and `set` reach it. */
    keys: string[];
  }
}
