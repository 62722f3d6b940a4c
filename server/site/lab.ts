/** `/lab/` and `/lab/api/`: what lies in cookie, row and headers, and operations on the session. Never in production. */
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { jsonBody, parse_json, print_json, SuspiciousOperation, ValueError } from '../index.js';
import { shorten } from './format.js';
import { type Messages, messages } from './i18n.js';
import { readOps, runOps, stateOf } from './lab_ops.js';
import type { Handler, Site } from './site.js';
import type { StoredSession } from './tables.js';

const EXAMPLE = '[["setdefault", "visits", 0], ["set", "theme", "dark"], ["keys"], ["get_expiry_age"]]';
/** How much of a value is shown; of a secret, how much of its start. */
const SHOWN = 160;
const SECRET_SHOWN = 8;

interface Pair {
  readonly name: string;
  readonly value: string;
  readonly length: number;
}

/** `POST /lab/api/`: `{"ops": [["set", "k", 1], …]}` → `{"results": […], "state": {…}}`, as Python prints JSON. */
export function labApi(site: Site): Handler {
  return async function labApi(ctx) {
    const ops = readOps(await jsonBody(ctx, site.settings));
    const results = await runOps(ctx.session, ops);
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'json';
    ctx.body = print_json({ results, state: stateOf(ctx.session) });
  };
}

export function labPage(site: Site): Handler {
  return function labPage(ctx) {
    return show(site, ctx, EXAMPLE, null);
  };
}

/** The same operations by a form, for a browser without scripts. */
export function labAction(site: Site): Handler {
  return async function labAction(ctx) {
    const text = ctx.request.POST.get('ops') ?? '';
    let result: string;
    try {
      const results = await runOps(ctx.session, readOps({ ops: parse_json(text) }));
      result = print_json({ results, state: stateOf(ctx.session) });
    } catch (error) {
      if (!(error instanceof SuspiciousOperation || error instanceof ValueError)) throw error;
      ctx.status = 400;
      result = error.message;
    }
    await show(site, ctx, text, result);
  };
}

async function show(site: Site, ctx: Context, ops: string, result: string | null): Promise<void> {
  const m = messages(site.pages.language(ctx));
  // Asked for now, so that the CSRF cookie is among those that this answer sets.
  const { csrf_token } = ctx;
  const stored = ctx.session.session_key === null ? null : await site.tables.session(ctx.session.session_key);
  const locals = {
    csrf_token,
    cookies: [...ctx.request.COOKIES].map(([name, value]) => secret(name, value)),
    row: stored === null ? null : rowOf(ctx, stored, m),
    ops: ops.slice(0, 10_000),
    result,
  };
  // What cookies an answer sets is known when the session is saved, which is after this handler. A stream is read after
  // that, so the page is rendered then and can say what really is in its own headers.
  const page = site.pages.later(ctx, 'lab');
  async function* render(): AsyncGenerator<string> {
    yield await page({ ...locals, sent: sentCookies(ctx) });
  }
  ctx.type = 'html';
  ctx.body = Readable.from(render());
}

function rowOf(ctx: Context, { session_key, session_data, expire_date }: StoredSession, m: Messages): object {
  const compressed = session_data.startsWith('.');
  const [payload = '', time = '', signature = ''] = session_data.slice(compressed ? 1 : 0).split(':');
  const decoded = ctx.session.decode(session_data);
  return {
    columns: [
      secret('session_key', session_key),
      pair('session_data', session_data),
      pair('expire_date', expire_date.toISOString()),
    ],
    parts: [
      ...(compressed ? [pair(m.lab_part_flag, '.')] : []),
      pair(m.lab_part_payload, payload),
      pair(m.lab_part_time, time),
      secret(m.lab_part_signature, signature),
    ],
    decoded: decoded.size === 0 && payload !== EMPTY_PAYLOAD ? null : readable(decoded),
  };
}

/** base64 of `{}`. */
const EMPTY_PAYLOAD = 'e30';

/** One member a line; what proves a login is not shown. */
function readable(decoded: ReadonlyMap<string, unknown>): string {
  const lines = [...decoded].map(([key, value]) => {
    const shown = key === '_auth_user_hash' || key === '_csrftoken' ? '***' : value;
    return `  ${print_json(key)}: ${print_json(shown)}`;
  });
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n}`;
}

const pair = (name: string, value: string): Pair => ({ name, value: shorten(value, SHOWN), length: value.length });
const secret = (name: string, value: string): Pair => ({
  name,
  value: shorten(value, SECRET_SHOWN),
  length: value.length,
});

function sentCookies(ctx: Context): string[] {
  const header = ctx.response.headers['set-cookie'];
  const lines = header === undefined ? [] : Array.isArray(header) ? header : [String(header)];
  return lines.map((line) =>
    line.replace(/^([^=]*=)([^;]*)/, (_, name: string, value: string) => name + shorten(value, SECRET_SHOWN)),
  );
}
