/** `django_session`, as Django's `sessions.0001_initial` makes it: names of constraint and indexes included. */
import type { Knex } from 'knex';
import { createDjangoTables, type DjangoTables, dropDjangoTables, madeHere, type Table } from '../server/schema.js';

/** How to create the table. */
export interface SessionTableForm {
  /** The number of partitions, by hash of session_key; without it a plain table, as Django's. */
  readonly partitions?: number | undefined;
}

const CREATE = `CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL)`;

const TABLE: Table = {
  name: 'django_session',
  columns: [
    { name: 'session_key', types: ['character varying(40)'] },
    { name: 'session_data', types: ['text'] },
    { name: 'expire_date', types: ['timestamp with time zone'] },
  ],
  unique: [['session_key']],
  create: [
    CREATE,
    `CREATE INDEX "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops)`,
    `CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")`,
  ],
};

/** Statements that create the table; PostgreSQL creates its indexes on each partition. */
function createIn(partitions: number): readonly string[] {
  const digits = String(partitions - 1).length;
  const parts = Array.from({ length: partitions }, (_, remainder) => {
    const name = `django_session_p${String(remainder).padStart(digits, '0')}`;
    return `CREATE TABLE "${name}" PARTITION OF "django_session" FOR VALUES WITH (MODULUS ${partitions}, REMAINDER ${remainder})`;
  });
  const [, ...indexes] = TABLE.create;
  return [`${CREATE} PARTITION BY HASH ("session_key")`, ...indexes, ...parts];
}

const DJANGO: DjangoTables = { tables: [TABLE], history: [['sessions', '0001_initial']] };

export async function up(knex: Knex, { partitions }: SessionTableForm = {}): Promise<void> {
  const tables = partitions === undefined ? [TABLE] : [{ ...TABLE, create: createIn(partitions) }];
  await createDjangoTables(knex, { ...DJANGO, tables });
}

export async function down(knex: Knex): Promise<void> {
  await dropDjangoTables(knex, DJANGO);
}

/** The tables that `down` would drop. */
export function drops(knex: Knex): Promise<readonly string[]> {
  return madeHere(knex, DJANGO);
}
