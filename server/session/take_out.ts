/** A method of sessions: takes out a value that counts once. A symbol, because any name may be a key. */
export const TAKE_OUT = Symbol('koa-django-session.takeOut');
