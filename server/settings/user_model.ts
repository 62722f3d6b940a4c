/** The settings that describe Django's user model. */
import type { Definition } from './definition.js';
import { ANY, orNone, text, textMap } from './readers.js';

/** Model, table and columns of the users. */
export interface UserModelSettings {
  readonly AUTH_USER_MODEL: string;
  readonly AUTH_USER_TABLE: string | null;
  readonly AUTH_USER_COLUMNS: Readonly<Record<string, string>>;
  readonly USERNAME_FIELD: string;
  readonly EMAIL_FIELD: string;
}

/** Whether the user model is Django's own, in auth_user, not a custom one. */
export function isDefaultUserModel({ AUTH_USER_MODEL }: Pick<UserModelSettings, 'AUTH_USER_MODEL'>): boolean {
  return AUTH_USER_MODEL.toLowerCase() === 'auth.user';
}
export const USER_MODEL_SETTINGS: {
  readonly [Name in keyof UserModelSettings]: Definition<UserModelSettings[Name]>;
} = {
  AUTH_USER_MODEL: {
    default: 'auth.User',
    meaning: "Django's AUTH_USER_MODEL: the model of the users. Its table and columns are found in the database.",
    allowed: "the app's label, a dot and the model's name, such as accounts.User",
    read: text(/^[A-Za-z_]\w*\.[A-Za-z_]\w*$/),
  },
  AUTH_USER_TABLE: {
    default: null,
    meaning:
      "The users' table, if the model sets `db_table`; None: the default name, `app_model`. Write `schema.table` for a schema off the search_path, and double quotes around a name with a dot.",
    allowed: 'the name of a table, or None',
    read: orNone(text(ANY)),
  },
  AUTH_USER_COLUMNS: {
    default: {},
    meaning: 'The columns of fields with `db_column`; other fields have their own name.',
    allowed: 'JSON from fields to columns, such as {"email": "email_address"}',
    read: textMap,
  },
  USERNAME_FIELD: {
    default: 'username',
    meaning: "The user model's USERNAME_FIELD: the field that users log in with.",
    allowed: 'the name of a field, such as email',
    read: text(/^[A-Za-z_]\w*$/),
  },
  EMAIL_FIELD: {
    default: 'email',
    meaning: "The user model's EMAIL_FIELD: the field with the email address.",
    allowed: 'the name of a field',
    read: text(/^[A-Za-z_]\w*$/),
  },
};
