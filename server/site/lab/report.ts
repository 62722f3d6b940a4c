/** The values of a step for its page: texts in the visitor's language, changes marked. */
import { CookieError, printJson, type Settings } from '../../index.js';
import { DEMO_USERS } from '../demo_users.js';
import { type Moment, moment } from '../format.js';
import type { Language } from '../i18n.js';
import type { LabMessages } from '../messages/lab_en.js';
import { lifetimeOf } from './lifetime.js';
import { readableJson } from './literals.js';
import { NOTEBOOK_COOKIE } from './mask.js';
import type { RowView } from './row.js';
import { isDeletion, maxAgeOf, type SentCookie } from './set_cookie.js';
import type { Step, TabLine } from './step.js';

/** The maximum characters of a line of code, and of a value in a title. */
const CODE_SHOWN = 300;
const TITLE_SHOWN = 60;

const LOGINS = ['login_first', 'login_second'];

type Mark = keyof LabMessages['marks'];

export interface ReportContext {
  readonly m: LabMessages;
  readonly language: Language;
  readonly settings: Settings;
}

/** @param steps up to the shown one, which is the last */
export function reportOf(steps: readonly Step[], context: ReportContext): object | null {
  const step = steps.at(-1);
  if (step === undefined) return null;
  const { m, language, settings } = context;
  const { SESSION_COOKIE_NAME } = settings;
  return {
    number: step.number,
    name: step.name,
    title: titleOf(step, m),
    result: resultOf(step, m),
    isBad: step.outcome.kind === 'raised' || step.outcome.kind === 'refused' || step.events.includes('interrupted'),
    code: codeOf(step),
    picture: step.picture,
    sent: step.sent.map(([name, value]) => ({ name, value, isOwn: name === NOTEBOOK_COOKIE })),
    received: step.received.map((cookie) => receivedCookie(cookie, m)),
    row: step.after === null ? null : rowOf(step.after, step.before, m, language, step.at),
    gone: step.before !== null && step.after?.session_key !== step.before.session_key ? step.before.key : null,
    unsaved: !step.modified && step.outcome.kind !== 'refused' && step.name !== 'visit' && step.events.length === 0,
    members: membersOf(step),
    more: step.after?.more ?? 0,
    lifetime: lifetimeOf(steps, m, SESSION_COOKIE_NAME),
    events: step.events.map((event) => ({ event, text: m.events[event] })),
    tabs: tabsOf(step, m),
    story: storyOf(step.name, m),
    user: step.user,
  };
}

/** The source code of the call, or the translated name of the button, or its own name. */
export function titleOf({ name, code }: Step, m: LabMessages): string {
  const user = DEMO_USERS[LOGINS.indexOf(name)];
  if (user !== undefined) return m.log_in_as(user.username);
  if (code !== null) {
    const [call = ''] = code.koa.split('\n');
    return short(call.replace(/^await /, '').replace(/^ctx\./, ''), TITLE_SHOWN);
  }
  const named: Readonly<Record<string, string>> = m.named;
  return Object.hasOwn(named, name) ? (named[name] ?? name) : name;
}

export function resultOf({ outcome, events }: Step, m: LabMessages): string {
  if (events.includes('interrupted')) return m.events.interrupted;
  switch (outcome.kind) {
    case 'returned':
      return short(outcome.javascript, 300);
    case 'nothing':
      return m.done;
    case 'raised':
      return `${m.raised} ${outcome.name}: ${outcome.message}`;
    case 'refused':
      return `${m.refused}: ${m.notes[outcome.note]}`;
  }
}

/** The source code, with the result as a comment. */
function codeOf({ code, outcome }: Step): object | null {
  if (code === null) return null;
  const django = code.django
    .split('\n')
    .map((line) => short(line, CODE_SHOWN))
    .join('\n');
  const koa = code.koa
    .split('\n')
    .map((line) => `${short(line, CODE_SHOWN)}`)
    .join('\n');
  if (outcome.kind === 'returned') {
    return {
      django: `${django}\n# → ${short(code.django_returns ?? outcome.python, CODE_SHOWN)}`,
      koa: `${koa}\n// → ${short(outcome.javascript, CODE_SHOWN)}`,
    };
  }
  if (outcome.kind === 'raised') {
    // Where we throw CookieError, Django mostly sends a cookie that browsers ignore.
    const isOurs = outcome.name === CookieError.name;
    return { django: isOurs ? django : `${django}\n# ${outcome.name}`, koa: `${koa}\n// ${outcome.name}` };
  }
  return { django, koa };
}

function receivedCookie(cookie: SentCookie, m: LabMessages): object {
  const max_age = maxAgeOf(cookie);
  return {
    name: cookie.name,
    value: cookie.value,
    isSecret: cookie.isSecret,
    isOwn: cookie.name === NOTEBOOK_COOKIE,
    isDeletion: isDeletion(cookie),
    bytes: m.bytes(cookie.bytes),
    attributes: [
      ...cookie.attributes.map(([name, value]) => ({
        text: value === '' ? name : `${name}=${value}`,
        word: attributeWord(name, value, m),
      })),
      ...(max_age === null ? [{ text: '–', word: m.attributes.max_age_none }] : []),
    ],
  };
}

function attributeWord(name: string, value: string, { attributes }: LabMessages): string {
  const words: Readonly<Record<string, string>> = attributes;
  if (name === 'Max-Age' && Number(value) <= 0) return attributes.max_age_zero;
  if (name === 'SameSite') return words[value[0]?.toUpperCase() + value.slice(1).toLowerCase()] ?? attributes.SameSite;
  return Object.hasOwn(words, name) ? (words[name] ?? '') : attributes.other;
}

function rowOf(row: RowView, before: RowView | null, m: LabMessages, language: Language, at: number): object {
  const mark = (differs: (other: RowView) => boolean): Mark =>
    before === null ? 'new' : differs(before) ? 'changed' : 'same';
  const parts = row.signature === '' ? [] : partsOf(row, m, language);
  return {
    key: { value: row.key, mark: mark((other) => other.session_key !== row.session_key) },
    expires: {
      value: moment(row.expire_date, language),
      mark: mark((other) => other.expire_date.getTime() !== row.expire_date.getTime()),
      isOver: row.expire_date.getTime() / 1000 <= at,
    },
    data: {
      length: row.length,
      mark: mark((other) => other.payload !== row.payload || other.signature !== row.signature),
      parts,
      whole: parts.length === 0 ? row.payload : null,
    },
    json: row.json,
    hasEscapes: /\\u[0-9a-f]{4}/.test(row.json),
    state: row.state,
    isCookie: row.isCookie,
  };
}

function partsOf(row: RowView, m: LabMessages, language: Language): readonly object[] {
  const signedAt: Moment | null = row.signedAt === null ? null : moment(row.signedAt, language);
  return [
    {
      kind: 'payload',
      name: m.payload,
      value: `${row.compressed ? '.' : ''}${row.payload}`,
      word: row.compressed ? m.payload_zip_word : m.payload_word,
    },
    { kind: 'time', name: m.time, value: row.time, word: m.time_word(signedAt?.text ?? '?') },
    { kind: 'signature', name: m.signature, value: row.signature, word: m.signature_word },
  ];
}

/** The members after the step, and those that it removed. */
function membersOf({ before, after }: Step): readonly object[] {
  const old = new Map(before?.members ?? []);
  const now = new Map(after?.members ?? []);
  const present = [...now].map(([name, json]) => {
    const former = old.get(name);
    const mark: Mark = former === undefined ? 'new' : former === json ? 'same' : 'changed';
    return { name, value: readableJson(json), mark, before: mark === 'changed' ? readableJson(former ?? '') : null };
  });
  const gone = [...old]
    .filter(([name]) => !now.has(name))
    .map(([name, json]) => ({ name, value: readableJson(json), mark: 'gone', before: null }));
  return [...present, ...gone];
}

function tabsOf({ name, tabs, after, events }: Step, m: LabMessages): object | null {
  if (tabs.length === 0) return null;
  const isOther = name === 'other_browser';
  const lines = tabs.map(({ tab, deed, koa, row }) => ({
    tab,
    text: m.deeds[deed],
    koa,
    row: row === undefined ? null : tabRow(row, m),
  }));
  const last = events.includes('row_merged') ? 'row_merged' : events.includes('interrupted') ? 'interrupted' : null;
  return {
    names: isOther ? { a: m.browser_a, b: m.browser_b } : { a: m.tab_a, b: m.tab_b },
    lines:
      last === null
        ? lines
        : [
            ...lines,
            { tab: 'a', text: m.last_line[last], koa: '', row: last === 'row_merged' ? tabRow(after, m) : null },
          ],
  };
}

function tabRow(row: TabLine['row'], m: LabMessages): string {
  if (row === null || row === undefined) return m.row_none;
  // Not Django's own members, whose names begin with `_`.
  const told = row.members.filter(([name]) => !name.startsWith('_'));
  const pairs = told.map(([name, json]) => `${readableJson(printJson(name))}:${readableJson(json)}`);
  const rest = told.length < row.members.length ? ['…'] : [];
  return `${row.key} {${[...pairs, ...rest].join(', ')}}`;
}

function storyOf(name: string, m: LabMessages): string | null {
  const stories: Readonly<Record<string, string>> = m.stories;
  return Object.hasOwn(stories, name) ? (stories[name] ?? null) : null;
}

function short(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
