/** Caches what PostgreSQL's catalogue says of the users' tables, until a migration in Django changes them. */
import type { Knex } from 'knex';
import type { Clock } from '../clock.js';
import type { Statement } from '../db/prepared.js';
import { permissionStatement } from './permission_lookup.js';
import { findPermissionTables } from './permission_tables.js';
import { findUserModel, type UserModel, type UserModelSettings } from './user_model.js';
import { type UserStatements, userStatements } from './user_statements.js';

export interface Known {
  readonly model: UserModel;
  readonly statements: UserStatements;
}

/**
 * Seconds until the cache expires. A migration that adds a column makes no statement fail, but the column may be
 * `is_active`.
 */
const LOOKED_UP_FOR = 10;

export class Catalogue {
  readonly #knex: Knex;
  readonly #settings: UserModelSettings;
  readonly #now: Clock;
  #kept: Known | undefined;
  /** The pending query of the catalogue. */
  #looking: Promise<Known> | undefined;
  #lookedUpAt = 0;
  #permissionStatement: Promise<Statement | null> | undefined;

  constructor(knex: Knex, settings: UserModelSettings, now: Clock) {
    this.#knex = knex;
    this.#settings = settings;
    this.#now = now;
  }

  /** The cached value, if still usable. A slightly older one is used while it is being refreshed. */
  known(): Known | undefined {
    const age = this.#now() - this.#lookedUpAt;
    if (age > 2 * LOOKED_UP_FOR) this.#kept = undefined;
    if (age > LOOKED_UP_FOR && this.#kept !== undefined) this.look().catch(() => {});
    return this.#kept;
  }

  /** @throws SchemaMismatch with a message that says what to set */
  look(): Promise<Known> {
    if (this.#looking === undefined) {
      const at = this.#now();
      const looking = findUserModel(this.#knex, this.#settings)
        .then((model) => {
          const known = { model, statements: userStatements(model) };
          if (this.#looking === looking) this.#keep(known, at);
          return known;
        })
        .finally(() => {
          if (this.#looking === looking) this.#looking = undefined;
        });
      this.#looking = looking;
    }
    return this.#looking;
  }

  #keep(known: Known, at: number): void {
    this.#kept = known;
    this.#lookedUpAt = at;
    if (this.#permissionStatement === undefined) return;
    const anew = this.#findPermissionStatement(known);
    anew.then(
      () => {
        if (this.#kept === known) this.#permissionStatement = anew;
      },
      () => {},
    );
  }

  /** @param known the value that turned out to be wrong; another request may have refreshed it already */
  forget(known = this.#kept): void {
    if (this.#kept !== known) return;
    this.#kept = undefined;
    this.#looking = undefined;
    this.#permissionStatement = undefined;
  }

  /** null if the model has no permissions. */
  permissionStatement(): Promise<Statement | null> {
    this.#permissionStatement ??= Promise.resolve(this.known() ?? this.look()).then((known) =>
      this.#findPermissionStatement(known),
    );
    const statement = this.#permissionStatement;
    statement.catch(() => {
      if (this.#permissionStatement === statement) this.#permissionStatement = undefined;
    });
    return statement;
  }

  async #findPermissionStatement({ model }: Known): Promise<Statement | null> {
    const tables = await findPermissionTables(this.#knex, model);
    return tables === null ? null : permissionStatement(tables, model.keyType);
  }
}
