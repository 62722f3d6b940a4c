import { expect } from 'chai';
import type { Knex } from 'knex';
import { Deadline } from '../../server/db/deadline.js';
import { connectKnex } from '../../server/db/knex.js';
import { StoreUnavailable, UpdateError } from '../../server/errors.js';
import { newSessionKey } from '../../server/session/key.js';
import { DatabaseStore } from '../../server/session/stores/db.js';
import { until } from '../fire/until.js';
import { databaseOfSuite } from '../support/database.js';
import { reasonOf } from '../support/reason.js';

describe('saves of one session that wait for each other', () => {
  const database = databaseOfSuite();
  const expire_date = new Date('2999-01-01T00:00:00Z');
  const TIMEOUT = 30;
  let knex: Knex;
  let store: DatabaseStore;
  let key: string;
  let statements: string[];

  before(() => {
    knex = connectKnex(database.url, { connect_timeout: TIMEOUT, statement_timeout: TIMEOUT });
    knex.on('query', ({ sql }: { readonly sql: string }) => statements.push(sql.trim()));
  });
  after(() => knex.destroy());
  beforeEach(async () => {
    key = newSessionKey();
    statements = [];
    store = new DatabaseStore(knex, { timeout: TIMEOUT });
    await store.create({ session_key: key, session_data: '', expire_date });
  });

  const written = (): number => statements.filter((sql) => sql.startsWith('UPDATE')).length;
  /** Appends a letter. */
  const add =
    (letter: string) =>
    (session_data: string): { session_data: string; expire_date: Date } => ({
      session_data: session_data + letter,
      expire_date,
    });
  const patient = (): Deadline => new Deadline(60);
  /** A deadline that comes when it is told to. */
  class Told extends Deadline {
    isOver = false;
    override left(): number {
      return this.isOver ? 0 : TIMEOUT * 1200;
    }
  }

  /** Holds the row's lock, as another server does, until it is released. */
  async function locked(): Promise<() => Promise<void>> {
    const transaction = await database.knex.transaction();
    await transaction.raw('SELECT 1 FROM django_session WHERE session_key = ? FOR UPDATE', [key]);
    return async () => {
      await transaction.rollback();
    };
  }
  const oneWaits = (): Promise<unknown> =>
    until(
      async () => {
        const waiting = await database
          .knex('pg_stat_activity')
          .where({ wait_event_type: 'Lock' })
          .whereRaw('datname = current_database()');
        return waiting.length === 1 ? true : undefined;
      },
      { seconds: 30, what: () => 'a statement that waits for the lock' },
    );
  /** The first waits for the row's lock; meanwhile the others come. */
  async function whileTheFirstWaits(
    first: () => Promise<unknown>,
    others: () => readonly Promise<unknown>[],
  ): Promise<unknown[]> {
    const release = await locked();
    const begun = first();
    await oneWaits();
    const all = [begun, ...others()].map((merge) => reasonOf(merge));
    await release();
    return Promise.all(all);
  }

  it('are written together, in their order, and all of them', async () => {
    const letters = Array.from('bcdefghijklmnopqrstuvwxyz');
    const errors = await whileTheFirstWaits(
      () => store.merge(key, add('a'), patient()),
      () => letters.map((letter) => store.merge(key, add(letter), patient())),
    );
    expect(errors).to.deep.equal(errors.map(() => undefined));
    expect(await store.load(key)).to.equal('abcdefghijklmnopqrstuvwxyz');
    expect(written()).to.equal(2);
  });

  it('lose nothing beside another server that saves the same session', async () => {
    const other = new DatabaseStore(database.knex, { timeout: TIMEOUT });
    const merges = Array.from({ length: 80 }, (_, n) => (n % 2 === 0 ? store : other).merge(key, add('x'), patient()));
    await Promise.all(merges);
    expect(await store.load(key)).to.equal('x'.repeat(80));
    expect(written()).to.be.lessThan(10);
  });

  it('each get their own error, and only their own', async () => {
    const no = new RangeError('no');
    const errors = await whileTheFirstWaits(
      () => store.merge(key, add('a'), patient()),
      () => [
        store.merge(key, add('b'), patient()),
        store.merge(
          key,
          () => {
            throw no;
          },
          patient(),
        ),
        store.merge(key, add('c'), patient()),
      ],
    );
    expect(errors).to.deep.equal([undefined, undefined, no, undefined]);
    expect(await store.load(key)).to.equal('abc');
  });

  it('never bring a deleted row back', async () => {
    const release = await locked();
    const merges = ['a', 'b', 'c'].map((letter) => reasonOf(store.merge(key, add(letter), patient())));
    await oneWaits();
    await release();
    await store.delete(key);
    const late = await reasonOf(store.merge(key, add('d'), patient()));
    expect(late).to.be.instanceOf(UpdateError);
    for (const error of await Promise.all(merges))
      expect([undefined, UpdateError]).to.include(error && Object(error).constructor);
    expect(await store.load(key)).to.equal(null);
  });

  it('are tried again when the write that took them along fails', async () => {
    let isBroken = false;
    const errors = await whileTheFirstWaits(
      () => store.merge(key, add('a'), patient()),
      () => [
        store.merge(key, add('b'), patient()),
        store.merge(
          key,
          (session_data) => {
            // PostgreSQL refuses NUL: the whole transaction fails.
            isBroken = true;
            return add('\0')(session_data);
          },
          patient(),
        ),
        store.merge(key, add('c'), patient()),
      ],
    );
    expect(isBroken).to.equal(true);
    expect(errors.map((error) => error instanceof Error)).to.deep.equal([false, false, true, false]);
    expect(await store.load(key)).to.equal('abc');
  });

  it('fail at the earliest of their deadlines, and only the one that has it; the others are tried again', async () => {
    const hurried = new Told(60);
    const errors = await whileTheFirstWaits(
      () => store.merge(key, add('a'), patient()),
      () => [
        store.merge(
          key,
          (session_data) => {
            hurried.isOver = true;
            return add('b')(session_data);
          },
          patient(),
        ),
        store.merge(key, add('c'), hurried),
        store.merge(key, add('d'), patient()),
      ],
    );
    expect(errors.map((error) => Object(error).constructor === StoreUnavailable)).to.deep.equal([
      false,
      false,
      true,
      false,
    ]);
    expect(await store.load(key)).to.equal('abd');
  });

  it('are not written after a 503 when a text is refused and each is tried alone', async () => {
    const hurried = new Told(60);
    const errors = await whileTheFirstWaits(
      () => store.merge(key, add('a'), patient()),
      () => [
        store.merge(
          key,
          (session_data) => {
            hurried.isOver = true;
            return add('\0')(session_data);
          },
          patient(),
        ),
        store.merge(key, add('b'), hurried),
        store.merge(key, add('c'), patient()),
      ],
    );
    expect(errors.map((error) => error instanceof Error)).to.deep.equal([false, true, true, false]);
    expect(errors[2]).to.be.instanceOf(StoreUnavailable);
    expect(await store.load(key)).to.equal('ac');
  });

  it('are written together also when the row was locked at first', async () => {
    const record = { session_key: key, session_data: 'mine', expire_date };
    const release = await locked();
    const answers = Array.from({ length: 60 }, () => store.replace('', record, patient()));
    await oneWaits();
    statements = [];
    await release();
    expect((await Promise.all(answers)).filter((isWritten) => isWritten)).to.have.length(1);
    expect(statements.length).to.be.lessThan(20);
  });

  it('do not wait for one atomic after the other', async () => {
    const seen: string[] = [];
    const atomics: Promise<void>[] = [];
    let go = (): void => {};
    const first = new Promise<void>((resolve) => {
      go = resolve;
    });
    for (let n = 0; n < 4; n += 1) {
      atomics.push(
        store.modify(key, async (session_data) => {
          seen.push(session_data);
          if (n === 0) await first;
          return { session_data: `${session_data}${n}`, expire_date };
        }),
      );
    }
    await until(() => (seen.length === 1 ? true : undefined), { seconds: 30, what: () => 'the first atomic' });
    const merges = Array.from('abc').map((letter) => store.merge(key, add(letter), patient()));
    go();
    await Promise.all([...atomics, ...merges]);
    expect(seen).to.deep.equal(['', '0abc', '0abc1', '0abc12']);
    expect(await store.load(key)).to.equal('0abc123');
  });

  it('let others run meanwhile, however long they take to compute', async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    const slow = (session_data: string): { session_data: string; expire_date: Date } => {
      const end = performance.now() + 6;
      while (performance.now() < end);
      return add('x')(session_data);
    };
    let before = 0;
    const merges = Array.from({ length: 10 }, (_, n) =>
      store.merge(
        key,
        (session_data) => {
          if (n === 0) before = turns;
          return slow(session_data);
        },
        patient(),
      ),
    );
    count();
    await Promise.all(merges);
    isOver = true;
    expect(turns - before).to.be.at.least(9);
    expect(await store.load(key)).to.equal('x'.repeat(10));
  });

  it('get 503 at their own deadlines, and are not written then', async () => {
    const release = await locked();
    const first = store.merge(key, add('a'), patient());
    await oneWaits();
    // Work that may wait for a lock needs a statement's time.
    const late = await reasonOf(store.merge(key, add('b'), new Deadline(TIMEOUT + 0.05)));
    expect(late).to.be.instanceOf(StoreUnavailable);
    await release();
    await first;
    expect(await store.load(key)).to.equal('a');
  });

  it('do not wait for a lock when the session was only changed since it was read', async () => {
    const release = await locked();
    try {
      expect(await store.replace('another text', { session_key: key, session_data: 'mine', expire_date })).to.equal(
        false,
      );
    } finally {
      await release();
    }
  });
});
