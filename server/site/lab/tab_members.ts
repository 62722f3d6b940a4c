/** Buttons for concurrent requests: two tabs of one browser, or another browser. */
import { requestDeadline, Session } from '../../index.js';
import { SignedCookiesStore } from '../../session/stores/signed_cookies.js';
import { LabRefusal } from './form.js';
import { type Bench, type Member, nothing, plain } from './member.js';
import { rowView } from './row.js';
import type { TabLine } from './step.js';

/** The session of a concurrent request, of the same browser or of one without a cookie. */
async function another({ ctx, site, store, codec }: Bench, session_key: string | null): Promise<Session> {
  const deadline = requestDeadline(ctx);
  const session = new Session({ store, codec, settings: site.settings, now: site.now, deadline }, session_key);
  await session.load();
  return session;
}

/** The key of this request's session, which gets a row. @throws LabRefusal if the engine has no rows */
async function withRow({ ctx, store }: Bench): Promise<string> {
  if (store instanceof SignedCookiesStore || store.stored === undefined) throw new LabRefusal('no_rows');
  // Access the session first: before that, session_key is the cookie's value, and the row may not exist.
  ctx.session.keys();
  if (ctx.session.session_key === null) await ctx.session.create();
  return ctx.session.session_key ?? '';
}

/** Add a line, with the current row. */
async function tell(
  { ctx, tabs, store, codec }: Bench,
  line: Omit<TabLine, 'row'>,
  session_key: string,
): Promise<void> {
  const stored = await store.stored?.(session_key, requestDeadline(ctx));
  tabs.push({ ...line, row: stored === undefined || stored === null ? null : rowView(session_key, stored, codec) });
}

async function bothRead(bench: Bench): Promise<{ readonly session_key: string; readonly other: Session }> {
  const session_key = await withRow(bench);
  await tell(bench, { tab: 'a', deed: 'reads', koa: '' }, session_key);
  const other = await another(bench, session_key);
  bench.tabs.push({ tab: 'b', deed: 'reads', koa: '' });
  return { session_key, other };
}

/** Tab B sets a value and saves. Then tab A, this request, sets one, which is saved after its handler. */
async function bothWrite(bench: Bench, [mine, theirs]: readonly [Pair, Pair]): Promise<void> {
  const { session_key, other } = await bothRead(bench);
  other.set(...theirs);
  bench.tabs.push({ tab: 'b', deed: 'sets', koa: setting(theirs) });
  await other.save();
  await tell(bench, { tab: 'b', deed: 'saves', koa: '' }, session_key);
  bench.ctx.session.set(...mine);
  bench.tabs.push({ tab: 'a', deed: 'sets', koa: setting(mine) });
}

type Pair = readonly [key: string, value: string];
const setting = ([key, value]: Pair): string => `session.set("${key}", "${value}")`;

async function logOutElsewhere(bench: Bench): Promise<void> {
  const { session_key, other } = await bothRead(bench);
  await other.flush();
  await tell(bench, { tab: 'b', deed: 'deletes', koa: 'await session.flush()' }, session_key);
}

const story = (run: (bench: Bench) => Promise<void>): Member =>
  plain({ code: null, run: (bench) => nothing(run(bench)) });

export const TAB_MEMBERS: Readonly<Record<string, Member>> = {
  tabs_merge: story((bench) =>
    bothWrite(bench, [
      ['tab_a', 'tea'],
      ['tab_b', 'bread'],
    ]),
  ),
  tabs_same_key: story((bench) =>
    bothWrite(bench, [
      ['colour', 'green'],
      ['colour', 'blue'],
    ]),
  ),
  tabs_interrupt: story(async (bench) => {
    await logOutElsewhere(bench);
    const mine: Pair = ['tab_a', 'tea'];
    bench.ctx.session.set(...mine);
    bench.tabs.push({ tab: 'a', deed: 'sets', koa: setting(mine) });
  }),
  tabs_logout: story(async (bench) => {
    await logOutElsewhere(bench);
    bench.tabs.push({ tab: 'a', deed: 'answers', koa: '' });
  }),
  other_browser: story(async (bench) => {
    const session_key = await withRow(bench);
    await tell(bench, { tab: 'a', deed: 'reads', koa: '' }, session_key);
    const other = await another(bench, null);
    bench.tabs.push({ tab: 'b', deed: 'starts', koa: '' });
    other.set('theme', 'light');
    bench.tabs.push({ tab: 'b', deed: 'sets', koa: setting(['theme', 'light']) });
    await other.save();
    const theirs = other.session_key ?? '';
    await tell(bench, { tab: 'b', deed: 'saves', koa: '' }, theirs);
    // No browser has its key.
    await other.flush();
    await tell(bench, { tab: 'b', deed: 'deletes', koa: 'await session.flush()' }, theirs);
  }),
};
