/** What is known of the users' tables in the database's catalogue, until a migration of Django's changes them. */
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
 * Seconds for which the catalogue's answer counts. A migration that adds a column makes no statement fail, and the column
 * may be `is_active`.
 */
const LOOKED_UP_FOR = 10;

export class Catalogue {
  readonly #knex: Knex;
  readonly #settings: UserModelSettings;
  readonly #now: Clock;
  #kept: Known | undefined;
  /** The catalogue is being asked. */
  #looking: Promise<Known> | undefined;
  #lookedUpAt = 0;
  #permissionStatement: Promise<Statement | null> | undefined;

  constructor(knex: Knex, settings: UserModelSettings, now: Clock) {
    this.#knex = knex;
    this.#settings = settings;
    this.#now = now;
  }

  /** What is known, if it may still be used. Somewhat older, it is used while the catalogue is asked anew. */
  known(): Known | undefined {
    const age = this.#now() - this.#lookedUpAt;
    if (age > 2 * LOOKED_UP_FOR) this.#kept = undefined;
    if (age > LOOKED_UP_FOR && this.#kept !== undefined) this.look().catch(() => {});
    return this.#kept;
  }

  /** @throws SchemaMismatch with a sentence that says what to set */
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

  /** @param known what did not hold; others who met the same may have looked it up anew by now */
  forget(known = this.#kept): void {
    if (this.#kept !== known) return;
    this.#kept = undefined;
    this.#looking = undefined;
    this.#permissionStatement = undefined;
  }

  /** null where the model has no permissions. */
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
