/** `django_session`, as Django's `sessions.0001_initial` makes it: names of constraint and indexes included. */
import type { Knex } from 'knex';
import { createDjangoTables, type DjangoTables, dropDjangoTables, madeHere } from '../server/schema.js';

const DJANGO: DjangoTables = {
  tables: [
    {
      name: 'django_session',
      columns: [
        { name: 'session_key', types: ['character varying(40)'] },
        { name: 'session_data', types: ['text'] },
        { name: 'expire_date', types: ['timestamp with time zone'] },
      ],
      unique: [['session_key']],
      create: [
        `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL)`,
        `CREATE INDEX "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops)`,
        `CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
      ],
    },
  ],
  history: [['sessions', '0001_initial']],
};

export async function up(knex: Knex): Promise<void> {
  await createDjangoTables(knex, DJANGO);
}

export async function down(knex: Knex): Promise<void> {
  await dropDjangoTables(knex, DJANGO);
}

/** The tables that `down` would drop. */
export function drops(knex: Knex): Promise<readonly string[]> {
  return madeHere(knex, DJANGO);
}
