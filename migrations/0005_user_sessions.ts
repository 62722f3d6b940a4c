/** `koa_user_sessions`: the sessions of each user. Not a table of Django. */
import type { Knex } from 'knex';
import { existing, madeBefore } from '../server/schema.js';

const TABLE = 'koa_user_sessions';
const COLUMNS = ['id', 'sealed_key', 'session_table', 'user_model', 'user_id', 'user_agent', 'address'];
const TIMES = ['begun', 'last_seen', 'expire_date'];

/**
 * Without a foreign key to Django's session table: `manage.py flush` could not truncate that table, and each logout
 * would query this one.
 */
export async function up(knex: Knex): Promise<void> {
  if (await madeBefore(knex, TABLE, [...COLUMNS, ...TIMES])) return;
  await knex.schema.createTable(TABLE, (table) => {
    table.text('id').primary().comment('a hash of the session key');
    table.text('sealed_key').notNullable().comment('the session key, encrypted under SECRET_KEY');
    table.text('session_table').notNullable().comment('SESSION_TABLE');
    table.text('user_model').notNullable().comment('AUTH_USER_MODEL in lower case');
    table.text('user_id').notNullable();
    table.text('user_agent').notNullable().comment('at most 512 characters');
    table.text('address').notNullable().comment('a network: /24 of IPv4, /48 of IPv6');
    for (const time of TIMES) table.timestamp(time, { useTz: true }).notNullable();
    table.index(['user_id'], 'koa_user_sessions_user_id');
    table.index(['expire_date'], 'koa_user_sessions_expire_date');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable(TABLE);
}

/** The tables that `down` would drop. */
export function drops(knex: Knex): Promise<readonly string[]> {
  return existing(knex, [TABLE]);
}
