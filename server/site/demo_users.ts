/** Two demo users. They are created only in the embedded database, never in that of DATABASE_URL. */
import { make_password, type UserTable } from '../index.js';

export const DEMO_USERS = [
  { username: 'alice', password: 'white-rabbit-7' },
  { username: 'bob', password: 'yes-we-can-42' },
] as const;

/** Add missing demo users; does not reset a changed password. */
export async function ensureDemoUsers(users: UserTable): Promise<void> {
  for (const { username, password } of DEMO_USERS) {
    if ((await users.get_by_natural_key(username)) === null) {
      await users.create_user({ username, password: await make_password(password) });
    }
  }
}
