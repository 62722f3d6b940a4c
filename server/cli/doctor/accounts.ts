/** Findings about users: do the settings name their table, and can they log in here? Pure functions. */
import { PASSWORD_HASHERS } from '../../auth/hashers.js';
import type { Settings } from '../../settings.js';
import { environmentLines, type Finding } from './finding.js';
import type { LoginFinding } from './rows.js';
import type { Evidence, UserFacts } from './users.js';

const MODEL_BACKEND = 'django.contrib.auth.backends.ModelBackend';

export function accounts(users: UserFacts, logins: readonly LoginFinding[], settings: Settings): Finding[] {
  return [...model(users, settings), ...username(users, settings), ...active(users), ...passwords(users, logins)];
}

function model(users: UserFacts, { AUTH_USER_MODEL }: Settings): Finding[] {
  const { mismatch, evidence, lines, choices, others } = users;
  const wanted = environmentLines(lines).join(' ');
  const set = [wanted === '' ? [] : [`Set ${wanted}.`], choices.length === 0 ? [] : [choose(choices)]].flat().join(' ');
  const advice = set === '' ? {} : { advice: set };
  const check = 'users';
  if (mismatch !== null) return [{ check, level: 'problem', text: mismatch, ...advice }];
  if (evidence !== null) return [{ check, level: 'problem', text: REASONS[evidence](AUTH_USER_MODEL), ...advice }];
  const findings: Finding[] = [];
  if (set !== '') {
    const text = `The users' table is that of AUTH_USER_MODEL, ${AUTH_USER_MODEL}, but its model or columns are not all called as the settings say.`;
    findings.push({ check, level: 'warning', text, ...advice });
  }
  if (others.length > 0) {
    const text = `There are other tables of users, ${others.join(', ')}, and no login tells yet whose AUTH_USER_MODEL is.`;
    findings.push({ check, level: 'warning', text, advice: 'Log in at Django once and run this again.' });
  }
  return findings;
}

const choose = (choices: readonly string[]): string =>
  `The database does not tell which model is AUTH_USER_MODEL: set ${choices.join(' or ')}, as Django's settings say.`;

const REASONS: Readonly<Record<Evidence, (model: string) => string>> = {
  logins: () => 'The sessions of this database are logins of users in another table than AUTH_USER_MODEL names.',
  admin: (model) => `AUTH_USER_MODEL is ${model}, but the log of Django's admin is about users of another table.`,
  'content types': (model) =>
    `AUTH_USER_MODEL is ${model}, which Django's content types do not know: this Django has another user model.`,
};

function username({ mismatch, evidence, usernames, isGuessed }: UserFacts, { USERNAME_FIELD }: Settings): Finding[] {
  if (usernames.length === 0) return [];
  const check = 'username';
  const names = usernames.join(', ');
  if (isGuessed) {
    const text = `Users may log in with one of several columns: ${names}.`;
    return [{ check, level: 'note', text, advice: "USERNAME_FIELD is what Django's user model says." }];
  }
  const fits = mismatch === null && evidence === null;
  const text = `USERNAME_FIELD is ${USERNAME_FIELD}; which column users log in with cannot be told.`;
  const advice = `Set USERNAME_FIELD to what Django's user model says: the field of one of the columns ${names}.`;
  return [{ check, level: fits ? 'note' : 'problem', text, advice }];
}

function active({ is_active }: UserFacts): Finding[] {
  if (is_active === null) return [];
  const text = `There is no column is_active, so that every user may log in here; there is a column ${is_active.column}.`;
  const [line] = environmentLines({ AUTH_USER_COLUMNS: is_active.AUTH_USER_COLUMNS });
  const advice = `If that is the field is_active (db_column), set ${line}.`;
  return [{ check: 'is_active', level: 'warning', text, advice }];
}

function passwords({ hashers }: UserFacts, logins: readonly LoginFinding[]): Finding[] {
  if (hashers === null) return [];
  const known = [...PASSWORD_HASHERS.map(({ algorithm }) => algorithm), 'unusable'];
  const unknown = Object.keys(hashers).filter((algorithm) => !known.includes(algorithm));
  const list = Object.entries(hashers).map(([algorithm, count]) => `${algorithm} ${count}`);
  const text = `Password hashers in use: ${list.join(', ') || 'none, there are no users'}.`;
  const advice = `Users with ${unknown.join(', ')} cannot log in here; a login of theirs at Django counts here all the same.`;
  const finding: Finding =
    unknown.length === 0
      ? { check: 'hashers', level: 'ok', text }
      : { check: 'hashers', level: 'warning', text, advice };
  return [finding, ...valid(logins), ...backends(logins)];
}

function valid(logins: readonly LoginFinding[]): Finding[] {
  if (logins.length === 0) return [];
  const check = 'logins';
  const good = logins.filter(({ hash }) => hash !== null).length;
  const text = `${good} of ${logins.length} logged-in rows are a valid login here.`;
  if (good === logins.length) return [{ check, level: 'ok', text }];
  if (good > 0) {
    const advice =
      'The others are of users who changed their password, are inactive or gone, or of another SECRET_KEY.';
    return [{ check, level: 'note', text, advice }];
  }
  return [{ check, level: 'problem', text, advice: logins.some(({ hasUser }) => hasUser) ? HASHES : USERS }];
}

/** None of the logins is valid, and some of their users exist. */
const HASHES =
  "Their _auth_user_hash is not the one of the user's password. A user model that overrides get_session_auth_hash needs the same function here (DJANGO.md, Custom user models). This command cannot call that function: where there is one, try a login instead. A former SECRET_KEY of Django belongs into SECRET_KEY_FALLBACKS. If these users only changed their passwords, log in at Django once and run this again.";

/** None of the logins is valid, and none of their users exists. */
const USERS =
  'Their users are inactive, gone, or in another table than that of AUTH_USER_MODEL. Log in at Django once and run this again.';

function backends(logins: readonly LoginFinding[]): Finding[] {
  const others = [...new Set(logins.map(({ backend }) => backend))].filter((backend) => backend !== MODEL_BACKEND);
  if (others.length === 0) return [];
  const text = `Rows name other authentication backends: ${others.map((backend) => JSON.stringify(backend)).join(', ')}.`;
  const advice = 'Give this server a backend with the same path, or these users are anonymous here.';
  return [{ check: 'backends', level: 'warning', text, advice }];
}
