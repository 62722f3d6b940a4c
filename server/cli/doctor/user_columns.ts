/** Which columns of a table of users hold which fields, as far as the columns tell: the lines for the environment. */
import type { CandidateColumn, UserCandidate } from '../../auth/user_candidates.js';
import type { UserModelSettings } from '../../settings.js';

export interface UserColumns {
  /** Settings by their names; without what the settings say already, and what cannot be told. */
  readonly lines: Readonly<Record<string, string>>;
  /** Columns that may be USERNAME_FIELD's where several may. */
  readonly usernames: readonly string[];
  /** Whether one of them was taken, as the most likely one. */
  readonly isGuessed: boolean;
  /** A column that may be `is_active`, where no field is called so: Django would not let everybody in. */
  readonly is_active: { readonly column: string; readonly AUTH_USER_COLUMNS: string } | null;
}

const isText = ({ type }: CandidateColumn): boolean => /^(character varying|text|citext)/.test(type);

/** @param fits whether the settings' own fields are in this table */
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

/** A field's name is an identifier; a column's is any text. */
const fieldName = (column: string): string => column.replace(/\W/g, '_').replace(/^(?=\d)/, '_');

/**
 * A USERNAME_FIELD is unique (auth.E003), unless a backend of the site's own sees to that: `username` or `email` if they
 * are, otherwise the only text that is, or the only other column that is. Without one, what a name may be kept in.
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
