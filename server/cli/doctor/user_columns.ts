/** Guesses which columns of a user table hold which fields, as settings for the environment. */
import type { CandidateColumn, UserCandidate } from '../../auth/user_candidates.js';
import type { UserModelSettings } from '../../settings.js';

export interface UserColumns {
  /** Settings by name, without those that are already set or that the columns do not show. */
  readonly lines: Readonly<Record<string, string>>;
  /** The candidates for USERNAME_FIELD's column, if there are several. */
  readonly usernames: readonly string[];
  /** Whether the most likely candidate was chosen. */
  readonly isGuessed: boolean;
  /** A column that may be `is_active`, if none has that name. Without it, deactivated users could log in here. */
  readonly is_active: { readonly column: string; readonly AUTH_USER_COLUMNS: string } | null;
}

const isText = ({ type }: CandidateColumn): boolean => /^(character varying|text|citext)/.test(type);

/** @param fits whether the table has the fields that the settings name */
export function readColumns(candidate: UserCandidate, settings: UserModelSettings, fits: boolean): UserColumns {
  const given = fits ? settings.AUTH_USER_COLUMNS : {};
  const names = candidate.columns.map(({ name }) => name);
  const has = (field: string): boolean => names.includes(given[field] ?? field);
  const columns: Record<string, string> = {};
  for (const field of ['password', 'last_login'] as const) {
    if (!has(field)) columns[field] = candidate[field];
  }
  const lines: Record<string, string> = {};
  const mails = candidate.columns.filter((column) => isText(column) && /mail/i.test(column.name));
  const mail = has('email') || has(settings.EMAIL_FIELD) || mails.length !== 1 ? undefined : mails[0]?.name;
  // A field that users log in with by this name has this name.
  if (mail !== undefined && fits && mail === settings.USERNAME_FIELD) lines['EMAIL_FIELD'] = mail;
  else if (mail !== undefined) columns['email'] = mail;

  const { names: usernames, best } = usernameColumns(candidate.columns);
  const username = best === undefined ? undefined : best === columns['email'] ? 'email' : fieldName(best);
  if (!fits && best !== undefined && username !== undefined && username !== best) columns[username] = best;
  if (!fits && username !== undefined && username !== settings.USERNAME_FIELD) lines['USERNAME_FIELD'] = username;
  const isDefault = settings.USERNAME_FIELD === 'username';
  const isOpen = fits ? isDefault && usernames.length > 1 : username === undefined || usernames.length > 1;

  const isChanged = Object.keys(columns).length > 0 || (!fits && Object.keys(settings.AUTH_USER_COLUMNS).length > 0);
  if (isChanged) lines['AUTH_USER_COLUMNS'] = JSON.stringify({ ...given, ...columns });
  const actives = candidate.columns.filter(({ name, type }) => type === 'boolean' && /active|enabled/i.test(name));
  const [active] = has('is_active') || actives.length !== 1 ? [] : actives;
  return {
    lines,
    usernames: isOpen ? usernames : [],
    isGuessed: isOpen && (fits || username !== undefined),
    is_active:
      active === undefined
        ? null
        : {
            column: active.name,
            AUTH_USER_COLUMNS: JSON.stringify({ ...given, ...columns, is_active: active.name }),
          },
  };
}

/** A field's name must be an identifier; a column's name can be any text. */
const fieldName = (column: string): string => column.replace(/\W/g, '_').replace(/^(?=\d)/, '_');

/**
 * The candidates for USERNAME_FIELD. Django requires a unique field (auth.E003), unless the site has its own backend. So:
 * `username` or `email` if unique, otherwise the only unique text column, otherwise the only other unique column. Without
 * a unique column, all that may hold a name.
 */
function usernameColumns(columns: readonly CandidateColumn[]): {
  readonly names: readonly string[];
  readonly best?: string;
} {
  const namesOf = (wanted: (column: CandidateColumn) => boolean): string[] => [
    ...new Set(columns.filter(wanted).map(({ name }) => name)),
  ];
  const unique = namesOf((column) => column.unique && isText(column));
  const usual = ['username', 'email'].find((name) => unique.includes(name));
  if (usual !== undefined) return { names: unique, best: usual };
  const names = [unique, namesOf((column) => (column.key && isText(column)) || column.unique)].find(
    (found) => found.length > 0,
  );
  const [only] = names ?? [];
  if (names !== undefined) return names.length === 1 && only !== undefined ? { names, best: only } : { names };
  const known = ['username', 'email'].find((name) => columns.some((column) => column.name === name));
  const texts = namesOf(
    (column) => isText(column) && !column.nullable && !/pass|first_name|last_name/.test(column.name),
  );
  return known === undefined ? { names: texts } : { names: texts, best: known };
}
