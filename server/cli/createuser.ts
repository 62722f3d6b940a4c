/** `createuser`: add a user, whom Django knows too. */
import { ownSettings } from '../../config/settings.js';
import { make_password } from '../auth/hashers.js';
import { type User, UserTable } from '../auth/users.js';
import { type Arguments, type Command, EXIT, print, printError, UsageError, withDatabase } from './command.js';
import { Prompt } from './prompt.js';

/** NIST SP 800-63B section 5.1.1.2. */
const SHORTEST_ADVISED = 8;

export const command: Command = {
  summary: 'Add a user, whom Django knows too.',
  details: `Asks for name and password. The password is no option, because options are seen in the list of processes and kept
in the shell's history. From a pipe: the name (unless --username gives it) and the password, a line each.`,
  options: {
    username: { type: 'string', value: 'NAME', help: 'The name, instead of asking for it.' },
    email: { type: 'string', value: 'ADDRESS', help: 'The email address; none by default.' },
    staff: { type: 'boolean', help: "May enter Django's admin." },
    superuser: { type: 'boolean', help: 'Has every permission; is staff too.' },
  },
  async run(given) {
    // A wrong setting is told before a password is typed.
    ownSettings();
    const prompt = new Prompt();
    const { username, password } = await askAll(given, prompt);
    if (password.length < SHORTEST_ADVISED) {
      printError(`The password has fewer than ${SHORTEST_ADVISED} characters: it is accepted, but easily guessed.`);
    }
    const superuser = given.values['superuser'] === true;
    const encoded = await make_password(password);
    const user = await withDatabase(
      (knex): Promise<User> =>
        new UserTable(knex).create_user({
          username,
          password: encoded,
          email: String(given.values['email'] ?? ''),
          is_staff: superuser || given.values['staff'] === true,
          is_superuser: superuser,
        }),
    );
    print(`Added ${superuser ? 'superuser' : 'user'} ${user.username} (id ${user.id}).`);
    return EXIT.ok;
  },
};

async function askAll({ values }: Arguments, prompt: Prompt): Promise<{ username: string; password: string }> {
  const username = (values['username'] ?? (await prompt.ask({ what: 'Username' }))) as string;
  if (username.trim() === '') throw new UsageError('The username must not be empty.');
  const password = await prompt.ask({ what: 'Password', secret: true });
  if (password === '') throw new UsageError('The password must not be empty.');
  if (prompt.interactive && (await prompt.ask({ what: 'Password (again)', secret: true })) !== password) {
    throw new UsageError('The two passwords differ.');
  }
  return { username, password };
}
