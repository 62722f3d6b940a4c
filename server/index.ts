/** The library's front door: everything that another Koa application imports, and nothing of the site. */
export * from './auth/index.js';
export * from './captcha/index.js';
export { type Clock, systemClock } from './clock.js';
export * from './csrf/index.js';
export { connectKnex, type DatabaseOptions } from './db/knex.js';
export {
  MIGRATIONS_TABLE,
  type MigrateOptions,
  type MigrationName,
  MigrationSource,
  type MigrationSourceOptions,
  type MigrationStatus,
  migrate,
  migrationStatus,
  type RollbackOptions,
  rollback,
} from './db/migrate.js';
export * from './errors.js';
export * from './http/index.js';
export type { Logger } from './logger.js';
export * from './messages/public.js';
export * from './session/index.js';
export { openStore, type StoreOptions } from './session/stores/index.js';
export {
  type Definition,
  defineSettings,
  type GivenSettings,
  type LoginCaptcha,
  type SameSite,
  SETTINGS,
  type Settings,
} from './settings.js';
export * from './signing/index.js';
