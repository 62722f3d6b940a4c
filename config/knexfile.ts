/** For knex's own command line: `node --import tsx node_modules/.bin/knex migrate:list --knexfile config/knexfile.ts`. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Knex } from 'knex';
import { knexConnection } from '../server/db/knex.js';
import { MIGRATIONS_TABLE, MigrationSource } from '../server/db/migrations.js';
import { runningEmbeddedUrl } from '../server/embedded_database/index.js';
import { ImproperlyConfigured } from '../server/errors.js';
import { ownSettings, userModelSettings } from './settings.js';

/**
 * Knex changes into this file's folder; the data folder is in its parent in the sources, one level further up in the
 * build.
 */
function projectFolder(): string {
  const parent = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
  return path.basename(parent) === 'dist' ? path.dirname(parent) : parent;
}

export default function config(): Knex.Config {
  const { DATABASE_URL, DATA_FOLDER } = ownSettings();
  const { AUTH_USER_MODEL } = userModelSettings();
  const url = DATABASE_URL ?? runningEmbeddedUrl(path.resolve(projectFolder(), DATA_FOLDER));
  if (url === undefined) {
    throw new ImproperlyConfigured(
      'No database: set DATABASE_URL, or start the server, which runs an embedded PostgreSQL.',
    );
  }
  return {
    client: 'pg',
    connection: knexConnection(url, { connect_timeout: 5, statement_timeout: 0 }),
    migrations: { migrationSource: new MigrationSource({ AUTH_USER_MODEL }), tableName: MIGRATIONS_TABLE },
  };
}
