/** Two users to try the server with. They are made in the embedded database only, never in one that was given. */
import { make_password, type UserTable } from '../index.js';

export const DEMO_USERS = [
  { username: 'alice', password: 'white-rabbit-7' },
  { username: 'bob', password: 'yes-we-can-42' },
] as const;

/** Add those that are missing; a password that was changed stays as it is. */
export async function ensureDemoUsers(users: UserTable): Promise<void> {
  for (const { username, password } of DEMO_USERS) {
    if ((await users.get_by_natural_key(username)) === null) {
      await users.create_user({ username, password: await make_password(password) });
    }
  }
}
