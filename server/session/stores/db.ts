/** Sessions in Django's table django_session, through knex and pg (django.contrib.sessions.backends.db). */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../../clock.js';
import { clear_expired } from '../../db/clear_expired.js';
import { isUnavailable, unavailable } from '../../db/unavailable.js';
import { CreateError, UpdateError } from '../../errors.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

const UNIQUE_VIOLATION = '23505';

/** Each statement's text and the name under which PostgreSQL keeps its plan: one name has one text. */
const STATEMENTS = {
  load: {
    name: 'django_session_load',
    text: 'SELECT session_data FROM django_session WHERE session_key = ? AND expire_date > ?',
  },
  exists: { name: 'django_session_exists', text: 'SELECT 1 FROM django_session WHERE session_key = ?' },
  create: {
    name: 'django_session_create',
    text: 'INSERT INTO django_session (session_key, session_data, expire_date) VALUES (?, ?, ?)',
  },
  replace: {
    name: 'django_session_replace',
    text: 'UPDATE django_session SET session_data = ?, expire_date = ? WHERE session_key = ? AND session_data = ?',
  },
  lock: {
    name: 'django_session_lock',
    text: 'SELECT session_data FROM django_session WHERE session_key = ? FOR UPDATE',
  },
  modify: {
    name: 'django_session_modify',
    text: 'UPDATE django_session SET session_data = ?, expire_date = ? WHERE session_key = ?',
  },
  delete: { name: 'django_session_delete', text: 'DELETE FROM django_session WHERE session_key = ?' },
} as const;

interface Result {
  readonly rows: readonly { readonly session_data: string }[];
  readonly rowCount: number;
}

export class DatabaseStore implements SessionStore {
  readonly #knex: Knex;
  readonly #now: Clock;

  /** @param knex connected to PostgreSQL with server/db/knex.ts's timeouts, or your own */
  constructor(knex: Knex, { now = systemClock }: { readonly now?: Clock } = {}) {
    this.#knex = knex;
    this.#now = now;
  }

  async load(session_key: string): Promise<string | null> {
    const { rows } = await this.#run('load', [session_key, this.#date()]);
    return rows[0]?.session_data ?? null;
  }

  async exists(session_key: string): Promise<boolean> {
    const { rows } = await this.#run('exists', [session_key]);
    return rows.length > 0;
  }

  async create(record: SessionRecord): Promise<void> {
    await this.#run('create', [record.session_key, record.session_data, record.expire_date]);
  }

  async replace(loaded: string, record: SessionRecord): Promise<boolean> {
    const { session_key, session_data, expire_date } = record;
    const { rowCount } = await this.#run('replace', [session_data, expire_date, session_key, loaded]);
    return rowCount > 0;
  }

  async modify(session_key: string, change: (session_data: string) => Promise<SessionChange>): Promise<void> {
    await this.#withRow(session_key, async (session_data, transaction) => {
      const changed = await change(session_data);
      await this.#run('modify', [changed.session_data, changed.expire_date, session_key], transaction);
    });
  }

  async cycle(session_key: string, change: (session_data: string) => Promise<SessionRecord>): Promise<void> {
    await this.#withRow(session_key, async (session_data, transaction) => {
      const record = await change(session_data);
      await this.#run('create', [record.session_key, record.session_data, record.expire_date], transaction);
      await this.#run('delete', [session_key], transaction);
    });
  }

  async delete(session_key: string): Promise<void> {
    await this.#run('delete', [session_key]);
  }

  async clear_expired(): Promise<number> {
    return clear_expired(this.#knex, { now: this.#now });
  }

  #date(): Date {
    return new Date(this.#now() * 1000);
  }

  async #withRow(
    session_key: string,
    change: (session_data: string, transaction: Knex.Transaction) => Promise<void>,
  ): Promise<void> {
    try {
      await this.#knex.transaction(async (transaction) => {
        const { rows } = await this.#run('lock', [session_key], transaction);
        const row = rows[0];
        if (row === undefined) throw new UpdateError('The session was deleted meanwhile.');
        await change(row.session_data, transaction);
      });
    } catch (error) {
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }

  async #run(
    statement: keyof typeof STATEMENTS,
    bindings: readonly (string | Date)[],
    connection: Knex = this.#knex,
  ): Promise<Result> {
    const { name, text } = STATEMENTS[statement];
    try {
      return await connection.raw<Result>(text, [...bindings]).options({ name });
    } catch (error) {
      if (isUniqueViolation(error)) throw new CreateError('The session key is taken.', { cause: error });
      throw isUnavailable(error) ? unavailable(error) : error;
    }
  }
}

function isUniqueViolation(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === UNIQUE_VIOLATION;
}
