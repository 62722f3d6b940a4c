/** The partitions of a table of sessions. */
import type { Knex } from 'knex';
import { SchemaMismatch } from '../errors.js';
import { rowsOf } from '../rows.js';
import { DJANGO_SESSION } from './session_table.js';

/** The number of partitions of `django_session`; undefined if the table does not exist. */
async function partitionsOf(knex: Knex): Promise<number | undefined> {
  const [found] = await rowsOf<{ there: boolean; count: string }>(
    knex,
    `SELECT to_regclass(?) IS NOT NULL AS there,
            (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(?)) AS count`,
    [DJANGO_SESSION, DJANGO_SESSION],
  );
  return found?.there === true ? Number(found.count) : undefined;
}

/**
 * Checks that `django_session` does not exist yet, or has this number of partitions.
 *
 * @throws SchemaMismatch when it exists with another number of partitions
 */
export async function refuseOtherPartitions(knex: Knex, wanted: number): Promise<void> {
  const found = await partitionsOf(knex);
  if (found === undefined || found === wanted) return;
  throw new SchemaMismatch(
    `Table ${DJANGO_SESSION} is there with ${found === 0 ? 'no' : found} partitions; ${wanted} were asked for. A table that is there is not changed. The statements that do it are in DEPLOYMENT.md of koa-django-session, under Partitions.`,
  );
}

/** A WITH clause: `parts (oid)` is a table and all its partitions. Its one binding is the table's name. */
export const WITH_PARTS = `WITH RECURSIVE parts (oid) AS (
  SELECT ?::regclass::oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN parts ON inhparent = parts.oid)`;
