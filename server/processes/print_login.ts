/** Prints how to log in. Separate from print.ts, because it loads the whole site. */
import type { ServerSettings } from '../../config/settings.js';
import { isDefaultUserModel } from '../settings.js';
import { DEMO_USERS } from '../site/demo_users.js';
import { print } from './print.js';

/** Called when the server is ready. */
export function printLogin(settings: ServerSettings, url: string): void {
  if (settings.production) return;
  if (settings.DATABASE_URL === null && isDefaultUserModel(settings.django)) {
    const [first, second] = DEMO_USERS;
    print(
      `Log in at ${url}login/ as ${first.username} (${first.password}) or ${second.username} (${second.password}).`,
    );
  } else {
    print('Log in as a user of this database; npm run createuser makes one.');
  }
  print(
    'This is development. For production set NODE_ENV=production, SECRET_KEY, DATABASE_URL, ALLOWED_HOSTS, SESSION_COOKIE_SECURE=true and CSRF_COOKIE_SECURE=true.',
  );
}
