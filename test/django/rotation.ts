/** What the suites need that change SECRET_KEY while people are logged in. */
import * as auth from '../../server/auth/index.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { defineSettings } from '../../server/settings.js';
import { printJson } from '../../server/signing/python_json.js';
import { Browser } from './browser.js';
import { makeUser, type Pair, pairOf, SECRET_KEY } from './pairs.js';

const NEW_KEY = 'the-key-after-the-rotation-9876543210-zyxwvutsrqponm';

/** Both servers with the new key, on the database of the pair that has the old one. */
export function rotated({ django, values }: Pair, fallbacks: readonly string[]): Promise<Pair> {
  return pairOf(django, { ...values, SECRET_KEY: NEW_KEY, SECRET_KEY_FALLBACKS: JSON.stringify(fallbacks) });
}

/** Twenty browsers in which one user is logged in, by rows from before the rotation: twenty logins take a minute. */
export async function twentyLogins({
  db,
  ...before
}: Pair): Promise<{ username: string; browsers: readonly Browser[] }> {
  const { username, id, encoded } = await makeUser({ db, ...before });
  const codec = new SessionCodec(defineSettings({ SECRET_KEY }));
  const login = {
    [auth.SESSION_KEY]: String(id),
    [auth.BACKEND_SESSION_KEY]: 'django.contrib.auth.backends.ModelBackend',
    [auth.HASH_SESSION_KEY]: auth.get_session_auth_hash(encoded, SECRET_KEY),
  };
  const browsers = Array.from({ length: 20 }, () => new Browser());
  for (const browser of browsers) {
    const session_key = newSessionKey();
    const values = [session_key, codec.encode(printJson(login)), new Date(Date.now() + 3_600_000)];
    await db.query('INSERT INTO django_session (session_key, session_data, expire_date) VALUES ($1, $2, $3)', values);
    browser.jar.set('sessionid', session_key);
  }
  return { username, browsers };
}

/** A copy of a browser's cookies, as one that stole them has it. */
export function copyOf(browser: Browser): Browser {
  const copy = new Browser();
  for (const [name, value] of browser.jar) copy.jar.set(name, value);
  return copy;
}
