/** Reads session rows: which key signed them, and their members if the signature is valid. */
import { verify_session_auth_hash } from '../../auth/session_hash.js';
import { SessionCodec, Unreadable } from '../../session/codec.js';
import type { MemberTexts } from '../../session/document.js';
import type { Settings } from '../../settings.js';
import { tooLarge } from '../../signing/payload.js';
import { parseMember } from '../../signing/python_json.js';
import type { SessionRow } from './facts.js';

/** The facts about one row. */
export interface RowFinding {
  /** `current`, the index in SECRET_KEY_FALLBACKS, or null if no key of the settings verifies the row. */
  readonly key: 'current' | number | null;
  readonly legacy: boolean;
  /** Whether it has the format of Django 2.2 and 3.0, with any key. */
  readonly legacyForm: boolean;
  /** Its members; null if the signature is invalid or the payload is no JSON object. */
  readonly members: Readonly<Record<string, unknown>> | null;
  /** Why a row with a valid signature cannot be read; null if it can be read, or if the signature is invalid. */
  readonly unreadable: 'too large' | 'no JSON' | null;
}

export function readRow({ session_data }: SessionRow, settings: Settings): RowFinding {
  const codec = new SessionCodec({ ...settings, SESSION_READ_LEGACY: true });
  const { key, legacy } = codec.verify(session_data);
  const texts = codec.members(session_data);
  const members = valuesOf(texts);
  return { key, legacy, legacyForm: hasLegacyForm(session_data), members, unreadable: whyUnreadable(texts, settings) };
}

function whyUnreadable(texts: MemberTexts | Unreadable | null, settings: Settings): RowFinding['unreadable'] {
  if (!(texts instanceof Unreadable)) return null;
  return texts.reason === tooLarge(settings.SESSION_MAX_BYTES) ? 'too large' : 'no JSON';
}

function valuesOf(texts: MemberTexts | Unreadable | null): Readonly<Record<string, unknown>> | null {
  if (texts === null || texts instanceof Unreadable) return null;
  return Object.fromEntries([...texts].map(([name, json]) => [name, parseMember(json)]));
}

/** The legacy format: base64 of 40 hex digits, a colon and the payload. */
function hasLegacyForm(session_data: string): boolean {
  return /^[0-9a-f]{40}:/.test(Buffer.from(session_data.slice(0, 64), 'base64').toString('latin1'));
}

/** The login in a row. */
export interface LoginFinding {
  readonly user_id: string;
  readonly backend: unknown;
  /** Whether the table has this user, and the user is active. */
  readonly hasUser: boolean;
  /** null: there is no such user, or the hash belongs to another password or key, or was computed in another way. */
  readonly hash: 'current' | 'fallback' | null;
}

export function readLogin(
  { members }: RowFinding,
  passwords: ReadonlyMap<string, string>,
  settings: Settings,
): LoginFinding | null {
  const user_id = members?.['_auth_user_id'];
  if (members === null || (typeof user_id !== 'string' && typeof user_id !== 'number')) return null;
  const password = passwords.get(String(user_id));
  const hash = password === undefined ? null : verify_session_auth_hash(members['_auth_user_hash'], password, settings);
  const backend = members['_auth_user_backend'];
  return { user_id: String(user_id), backend, hasUser: password !== undefined, hash };
}

/** The user ids in these rows. */
export function userIds(rows: readonly RowFinding[]): readonly string[] {
  const ids = rows.map(({ members }) => members?.['_auth_user_id']);
  return [...new Set(ids.filter((id) => typeof id === 'string' || typeof id === 'number').map(String))];
}

/** A common mistake in the settings that would explain why no row verifies. */
export interface Guess {
  readonly what: string;
  readonly settings: Settings;
}

/**
 * The settings with one common mistake corrected: a line end from a file, quotes from an .env file, startproject's prefix
 * of the key, an unneeded salt.
 */
export function guesses(settings: Settings): readonly Guess[] {
  const { SECRET_KEY } = settings;
  const other = (key: string, what: string): Guess => ({ what, settings: { ...settings, SECRET_KEY: key } });
  const list: Guess[] = [
    other(SECRET_KEY.trim(), 'the SECRET_KEY here has blanks or a line end around it that Django has not'),
    other(`${SECRET_KEY}\n`, "Django's SECRET_KEY ends with a line end (read from a file without strip())"),
    other(SECRET_KEY.replace(/^(["'])(.*)\1$/, '$2'), 'the SECRET_KEY here still has its quotes'),
    other(SECRET_KEY.replace(/^django-insecure-/, ''), 'the SECRET_KEY here has a prefix "django-insecure-" too many'),
    other(`django-insecure-${SECRET_KEY}`, 'the SECRET_KEY here lacks the prefix "django-insecure-"'),
    other(SECRET_KEY.replaceAll('$$', '$'), 'the SECRET_KEY here has "$$" where Django has "$"'),
    {
      what: `SESSION_KEY_SALT is set to "${settings.SESSION_KEY_SALT}", but the rows have Django's own salt: unset it`,
      settings: { ...settings, SESSION_KEY_SALT: 'django.contrib.sessions.SessionStore' },
    },
  ];
  return list.filter(
    ({ settings: guessed }) =>
      guessed.SECRET_KEY !== '' &&
      (guessed.SECRET_KEY !== SECRET_KEY || guessed.SESSION_KEY_SALT !== settings.SESSION_KEY_SALT),
  );
}
