/** `createuser`: adds a user, for Django too. */
import { ownSettings, userModelSettings } from '../../config/settings.js';
import { make_password } from '../auth/hashers.js';
import type { User } from '../auth/user.js';
import { type NewUser, NOT_NULL, UserTable } from '../auth/users.js';
import { hasCode } from '../error_code.js';
import { ValueError } from '../errors.js';
import type { UserModelSettings } from '../settings.js';
import { type Arguments, type Command, EXIT, print, printError, UsageError, withDatabase } from './command.js';
import { Prompt } from './prompt.js';

/** NIST SP 800-63B section 5.1.1.2. */
const SHORTEST_ADVISED = 8;

export const command: Command = {
  summary: 'Add a user, for this server and Django.',
  details: `Prompts for name and password. The password is not an option, because options are visible in the list of processes and
in the shell's history. From a pipe, reads two lines: the name (unless --username gives it) and the password. With a custom
user model (AUTH_USER_MODEL), the name is the value of USERNAME_FIELD, such as the email address.`,
  options: {
    username: {
      type: 'string',
      value: 'NAME',
      help: 'The name (the value of USERNAME_FIELD); no prompt for it.',
    },
    email: { type: 'string', value: 'ADDRESS', help: 'The email address; none by default.' },
    staff: { type: 'boolean', help: "May enter Django's admin." },
    superuser: { type: 'boolean', help: 'Has every permission; is staff too.' },
  },
  async run(given) {
    // Report a wrong setting before prompting for a password.
    ownSettings();
    const settings = userModelSettings();
    const prompt = new Prompt();
    const { username, password } = await askAll(given, prompt, settings);
    if (password.length < SHORTEST_ADVISED) {
      printError(`The password has fewer than ${SHORTEST_ADVISED} characters: it is accepted, but easily guessed.`);
    }
    const superuser = given.values['superuser'] === true;
    const encoded = await make_password(password);
    const values = {
      username,
      password: encoded,
      email: String(given.values['email'] ?? ''),
      is_staff: superuser || given.values['staff'] === true,
      is_superuser: superuser,
    };
    const user = await withDatabase((knex) => create(new UserTable(knex, { settings }), values, settings));
    print(`Added ${superuser ? 'superuser' : 'user'} ${user.get_username()} (id ${user.id}).`);
    return EXIT.ok;
  },
};

async function create(users: UserTable, values: NewUser, { AUTH_USER_MODEL }: UserModelSettings): Promise<User> {
  try {
    return await users.create_user(values);
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown };
    if (!(error instanceof ValueError && hasCode(cause, NOT_NULL))) throw error;
    // The library's message names an argument of create_user, which this command does not have.
    const { column } = cause as { readonly column?: unknown };
    throw new ValueError(
      `${AUTH_USER_MODEL} requires a value for ${String(column)}, and this command has no option for it. Create this user in Django, or give the column a default in the database.`,
      { cause },
    );
  }
}

/** A field's label as in Django without `verbose_name`: `employee_number` → `Employee number`. */
function fieldInWords({ USERNAME_FIELD }: UserModelSettings): string {
  const words = USERNAME_FIELD.replaceAll('_', ' ').trim();
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

async function askAll(
  { values }: Arguments,
  prompt: Prompt,
  settings: UserModelSettings,
): Promise<{ username: string; password: string }> {
  const what = fieldInWords(settings);
  const username = (values['username'] ?? (await prompt.ask({ what }))) as string;
  if (username.trim() === '') throw new UsageError(`The ${what.toLowerCase()} must not be empty.`);
  const password = await prompt.ask({ what: 'Password', secret: true });
  if (password === '') throw new UsageError('The password must not be empty.');
  if (prompt.interactive && (await prompt.ask({ what: 'Password (again)', secret: true })) !== password) {
    throw new UsageError('The two passwords differ.');
  }
  return { username, password };
}
