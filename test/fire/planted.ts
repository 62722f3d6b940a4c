/** Users and sessions put straight into the tables, so that a test need not log in by way of a slow password hash. */
import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { PBKDF2PasswordHasher } from '../../server/auth/hashers/pbkdf2.js';
import { get_session_auth_hash } from '../../server/auth/session_hash.js';
import type { User } from '../../server/auth/user.js';
import { UserTable } from '../../server/auth/users.js';
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import { defineSettings } from '../../server/settings.js';
import { parseJson, printJson } from '../../server/signing/python_json.js';
import { SECRET_KEY } from './processes.js';

export const PASSWORD = 'a garden of cucumbers';
const settings = defineSettings({ SECRET_KEY });
const codec = new SessionCodec(settings);
/** One iteration: right passwords are checked at once, and Django never re-hashes here. */
const quick = new PBKDF2PasswordHasher({ iterations: 1 });

export type Values = Readonly<Record<string, unknown>>;

export class Planted {
  readonly #database: { readonly knex: Knex };
  #users: UserTable | undefined;

  /** @param database may be connected later */
  constructor(database: { readonly knex: Knex }) {
    this.#database = database;
  }

  get knex(): Knex {
    return this.#database.knex;
  }

  /** A user whose password is PASSWORD. */
  async user(username = `user_${randomUUID()}`): Promise<User> {
    const password = await quick.encode(PASSWORD, 'underfire');
    // One table, which looks into the catalogue once; hundreds of users may be planted at once, on a busy machine.
    if (this.#users?.database !== this.knex) this.#users = new UserTable(this.knex, { timeout: 60 });
    return this.#users.create_user({ username, password });
  }

  /** The row of a session that holds `values`, the user's login among them. @returns its key */
  async session(values: Values = {}, user?: User): Promise<string> {
    const session_key = newSessionKey();
    const login = user === undefined ? {} : this.login(user);
    await this.knex('django_session').insert({
      session_key,
      session_data: codec.encode(printJson({ ...login, ...values })),
      expire_date: new Date(Date.now() + 3_600_000),
    });
    return session_key;
  }

  login(user: User): Values {
    return {
      _auth_user_id: String(user.id),
      _auth_user_backend: 'django.contrib.auth.backends.ModelBackend',
      _auth_user_hash: get_session_auth_hash(user.password, SECRET_KEY),
    };
  }

  /** What a row holds; null when there is none. @throws Error when its signature is wrong */
  async read(session_key: string): Promise<Values | null> {
    const row = await this.knex('django_session').where({ session_key }).first('session_data');
    return row === undefined ? null : decoded(row.session_data);
  }

  /** Every row, by its key. */
  async all(): Promise<Map<string, Values>> {
    const rows = await this.knex('django_session').select('session_key', 'session_data');
    return new Map(rows.map(({ session_key, session_data }) => [session_key, decoded(session_data)]));
  }
}

function decoded(session_data: string): Values {
  const json = codec.decode(session_data);
  if (json === null) throw new Error(`A torn row: ${session_data}`);
  return parseJson(json) as Values;
}
