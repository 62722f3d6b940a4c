/** The settings that say where a Django's users are. */
import type { Definition } from './definition.js';
import { ANY, orNone, text, textMap } from './readers.js';

/** Where users are. */
export interface UserModelSettings {
  readonly AUTH_USER_MODEL: string;
  readonly AUTH_USER_TABLE: string | null;
  readonly AUTH_USER_COLUMNS: Readonly<Record<string, string>>;
  readonly USERNAME_FIELD: string;
  readonly EMAIL_FIELD: string;
}

/** Whether users are Django's own, in auth_user: not those of a model of one's own. */
export function isDefaultUserModel({ AUTH_USER_MODEL }: Pick<UserModelSettings, 'AUTH_USER_MODEL'>): boolean {
  return AUTH_USER_MODEL.toLowerCase() === 'auth.user';
}
export const USER_MODEL_SETTINGS: {
  readonly [Name in keyof UserModelSettings]: Definition<UserModelSettings[Name]>;
} = {
  AUTH_USER_MODEL: {
    default: 'auth.User',
    meaning: "Django's AUTH_USER_MODEL: whose table users are in.",
    allowed: "the app's label, a dot and the model's name, such as accounts.User",
    read: text(/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/),
  },
  AUTH_USER_TABLE: {
    default: null,
    meaning:
      "The users' table where it is not `app_model` (the model's `db_table`); `schema.table` in a schema of its own, in double quotes where a name has a dot.",
    allowed: 'the name of a table, or None',
    read: orNone(text(ANY)),
  },
  AUTH_USER_COLUMNS: {
    default: {},
    meaning: 'Columns of that table whose names are not those of their fields (`db_column`).',
    allowed: 'JSON from fields to columns, such as {"email": "email_address"}',
    read: textMap,
  },
  USERNAME_FIELD: {
    default: 'username',
    meaning: "The user model's USERNAME_FIELD: what users log in with.",
    allowed: 'the name of a field, such as email',
    read: text(/^[A-Za-z_]\w*$/),
  },
  EMAIL_FIELD: {
    default: 'email',
    meaning: "The user model's EMAIL_FIELD.",
    allowed: 'the name of a field',
    read: text(/^[A-Za-z_]\w*$/),
  },
};
