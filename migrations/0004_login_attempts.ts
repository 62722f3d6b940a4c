/** `koa_login_attempts`: counts login attempts by account and by address. Not a table of Django. */
import type { Knex } from 'knex';
import { existing, madeBefore } from '../server/schema.js';

const TABLE = 'koa_login_attempts';
const COLUMNS = ['bucket', 'attempts', 'counted_at', 'retry_at', 'forget_at'];

export async function up(knex: Knex): Promise<void> {
  if (await madeBefore(knex, TABLE, COLUMNS)) return;
  await knex.schema.createTable(TABLE, (table) => {
    table.text('bucket').primary().comment('kind and keyed hash: no name and no address is kept');
    table.double('attempts').notNullable().comment('as of counted_at; heals with time');
    table.timestamp('counted_at', { useTz: true }).notNullable();
    table.timestamp('retry_at', { useTz: true }).notNullable().comment('no attempt before this');
    table.timestamp('forget_at', { useTz: true }).notNullable().comment('the row says nothing more after this');
    table.index(['forget_at'], 'koa_login_attempts_forget_at');
  });
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable(TABLE);
}

/** The tables that `down` would drop. */
export function drops(knex: Knex): Promise<readonly string[]> {
  return existing(knex, [TABLE]);
}
