/** The partitions of a table of sessions. */
import type { Knex } from 'knex';
import { SchemaMismatch } from '../errors.js';
import { DJANGO_SESSION } from './session_table.js';

/** How many partitions `django_session` has, 0 for a table without; undefined where there is no such table. */
async function partitionsOf(knex: Knex): Promise<number | undefined> {
  const { rows }: { rows: readonly { there: boolean; count: string }[] } = await knex.raw(
    `SELECT to_regclass(?) IS NOT NULL AS there,
            (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(?)) AS count`,
    [DJANGO_SESSION, DJANGO_SESSION],
  );
  return rows[0]?.there === true ? Number(rows[0].count) : undefined;
}

/**
 * See that `django_session` can be made of so many partitions, or is so already.
 *
 * @throws SchemaMismatch when it is there with another number of them
 */
export async function refuseOtherPartitions(knex: Knex, wanted: number): Promise<void> {
  const found = await partitionsOf(knex);
  if (found === undefined || found === wanted) return;
  throw new SchemaMismatch(
    `Table ${DJANGO_SESSION} is there with ${found === 0 ? 'no' : found} partitions; ${wanted} were asked for. A table that is there is not changed. The statements that do it are in DEPLOYMENT.md of koa-django-session, under Partitions.`,
  );
}

/** As `WITH RECURSIVE`: a table with the partitions that hold its rows, by oid as `parts`. One binding, the table. */
export const WITH_PARTS = `WITH RECURSIVE parts (oid) AS (
  SELECT ?::regclass::oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = parts.oid)`;
