/** The statements that Django sent, run word for word on the tables that our migrations make. */
import { expect } from 'chai';
import { UserTable } from '../../server/auth/index.js';
import { databaseOfSuite } from '../support/database.js';
import { type VectorEntry, type VectorItem, vectorEntries, vectorSuite } from '../support/vectors.js';

interface Row {
  readonly session_key: string;
  readonly session_data: string;
  readonly expire_date_utc: string;
}

interface Recording extends VectorEntry {
  readonly rows_before: readonly Row[];
  readonly rows_after: readonly Row[];
}

/** What the same request left behind; the recordings of requests and of statements are of one run. */
const requests = new Map(
  vectorEntries<Recording>('http_scenarios')
    .filter(({ django = [] }) => django.includes('main'))
    .map((entry) => [entry.id, entry]),
);

const KEY = 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk';

describe("Django's statements on our tables", () => {
  const database = databaseOfSuite();
  before(async () => {
    await new UserTable(database.knex).create_user({ username: 'alice', password: '!' });
  });

  vectorSuite<VectorItem>('sql_main', async ({ id, value }) => {
    const { knex } = database;
    const recording = requests.get(id);
    await knex('django_session').delete();
    const before = recording?.rows_before ?? [
      { session_key: KEY, session_data: 'as:it:was', expire_date_utc: '2026-01-10T00:00:00' },
    ];
    for (const { session_key, session_data, expire_date_utc } of before) {
      await knex('django_session').insert({ session_key, session_data, expire_date: `${expire_date_utc}Z` });
    }

    const writes: string[] = [];
    await knex.transaction(async (transaction) => {
      for (const statement of value as string[]) {
        // One transaction around all of them: BEGIN and COMMIT were Django's way to the same rows.
        if (statement === 'BEGIN' || statement === 'COMMIT') continue;
        const { command, rowCount } = await transaction.raw(statement.replaceAll('?', '\\?'));
        if (command !== 'SELECT') writes.push(`${command} ${rowCount}`);
      }
    });
    expect(writes.filter((write) => write.endsWith(' 0'))).to.deep.equal([]);

    if (recording === undefined) return;
    const after = await knex('django_session').orderBy('session_key');
    expect(
      after.map(({ session_key, session_data, expire_date }) => [session_key, session_data, expire_date.getTime()]),
    ).to.deep.equal(
      recording.rows_after.map(({ session_key, session_data, expire_date_utc }) => [
        session_key,
        session_data,
        Date.parse(`${expire_date_utc}Z`),
      ]),
    );
  });
});
