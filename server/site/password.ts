/** `/password/`: changes the password, by Django's rules. The user's other sessions end. */
import type { Context } from 'koa';
import {
  check_password,
  type MakePasswordOptions,
  make_password,
  requestDeadline,
  StoreUnavailable,
  type User,
  update_session_auth_hash,
  ValidationError,
  type ValidationProblem,
  validate_password,
} from '../index.js';
import { messages } from './i18n.js';
import { PASSWORD_LENGTH } from './login.js';
import type { Messages } from './messages/en.js';
import { notice } from './notices.js';
import { SESSIONS_PATH } from './sessions.js';
import type { Handler, Site } from './site.js';
import { userOrLogin } from './user_or_login.js';

export const PASSWORD_PATH = '/password/';

/** The errors, by field (Django's PasswordChangeForm). */
interface Problems {
  readonly old_password?: readonly string[];
  readonly new_password1?: readonly string[];
  readonly new_password2?: readonly string[];
}

export function passwordForm(site: Site): Handler {
  return async function passwordForm(ctx) {
    if (userOrLogin(ctx) !== null) await showForm(site, ctx, {});
  };
}

export function passwordAction(site: Site): Handler {
  return async function passwordAction(ctx) {
    const user = userOrLogin(ctx);
    if (user === null) return;
    const m = messages(site.pages.language(ctx));
    // The old password can be guessed here too, by somebody at another person's browser, so attempts are limited as at
    // the login.
    const attempt = { username: user.get_username(), address: ctx.ip };
    const deadline = requestDeadline(ctx);
    const answer = (await site.throttle?.check(attempt, deadline)) ?? { allowed: true };
    if (!answer.allowed) {
      ctx.set('Retry-After', String(answer.retry_after));
      ctx.status = 429;
      return showForm(site, ctx, { old_password: [m.login_throttled(answer.retry_after)] });
    }
    const [old, first, second] = ['old_password', 'new_password1', 'new_password2'].map(
      (name) => ctx.request.POST.get(name) ?? '',
    ) as [string, string, string];
    if (!isPossible(old) || !(await check_password(old, user.password))) {
      return showForm(site, ctx, { old_password: [m.password_old_wrong] });
    }
    await site.throttle?.succeeded(attempt, deadline);
    const problems = await problemsOf(user, first, second, m);
    if (problems !== null) return showForm(site, ctx, problems);
    await change(site, ctx, user, first);
    notice(ctx, m.password_changed);
    ctx.set('Cache-Control', 'no-store');
    ctx.redirect(site.userSessions === null ? '/index2/' : SESSIONS_PATH);
  };
}

const isPossible = (password: string): boolean =>
  password !== '' && password.length <= PASSWORD_LENGTH && !password.includes('\0') && password.isWellFormed();

async function problemsOf(user: User, first: string, second: string, m: Messages): Promise<Problems | null> {
  if (first !== second) return { new_password2: [m.password_mismatch] };
  if (!isPossible(first)) return { new_password1: [m.password_impossible] };
  try {
    await validate_password(first, { user });
    return null;
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return { new_password1: error.problems.map((problem) => sentenceOf(problem, m)) };
  }
}

function sentenceOf({ code, message, params }: ValidationProblem, m: Messages): string {
  const field = params['verbose_name'];
  switch (code) {
    case 'password_too_short':
      return m.password_too_short(Number(params['min_length']));
    case 'password_too_similar':
      return m.password_too_similar(typeof field === 'string' ? (m.password_fields[field] ?? field) : '');
    case 'password_too_common':
      return m.password_too_common;
    case 'password_entirely_numeric':
      return m.password_entirely_numeric;
    default:
      return message;
  }
}

async function change(site: Site, ctx: Context, user: User, password: string): Promise<void> {
  const deadline = requestDeadline(ctx);
  const changed = await site.users.set_password(user.id, await make_password(password, hashedAs(user)), deadline);
  // The user was deleted meanwhile: the next page shows that.
  if (changed === null) return;
  await update_session_auth_hash(ctx, changed);
  try {
    await site.userSessions?.revokeOthers(changed, ctx.session, deadline);
  } catch (error) {
    // The other sessions have already ended, because their hash does not match. Only their rows remain until they
    // expire.
    if (!(error instanceof StoreUnavailable)) throw error;
  }
}

/** The minimum of OWASP's Password Storage Cheat Sheet for PBKDF2 with SHA-256. */
const LEAST_ITERATIONS = 600_000;
const PBKDF2_SHA256 = /^pbkdf2_sha256\$(\d{1,9})\$/;

/**
 * Uses the hasher and the parameters of the old password, which are those of Django's PASSWORD_HASHERS: otherwise
 * Django re-hashes the password at the next login there, which ends all sessions. Not for weak hashes, nor for plain
 * bcrypt, which uses only 72 bytes.
 */
function hashedAs({ password }: User): MakePasswordOptions {
  const iterations = Number(PBKDF2_SHA256.exec(password)?.[1] ?? 0);
  if (iterations > 0) return iterations < LEAST_ITERATIONS ? {} : { hasher: 'pbkdf2_sha256', iterations };
  return KEPT.has(algorithmOf(password)) ? { hasher: algorithmOf(password) } : {};
}

const KEPT: ReadonlySet<string> = new Set(['argon2', 'bcrypt_sha256', 'scrypt']);
const algorithmOf = (encoded: string): string => encoded.slice(0, Math.max(0, encoded.indexOf('$')));

async function showForm(site: Site, ctx: Context, problems: Problems): Promise<void> {
  const m = messages(site.pages.language(ctx));
  const field = (name: keyof Problems, label: string, autocomplete: string): object => ({
    name,
    label,
    autocomplete,
    problems: problems[name] ?? [],
  });
  await site.pages.render(ctx, 'password', {
    fields: [
      field('old_password', m.password_old, 'current-password'),
      field('new_password1', m.password_new, 'new-password'),
      field('new_password2', m.password_again, 'new-password'),
    ],
    focus: Object.keys(problems)[0] ?? 'old_password',
  });
}
