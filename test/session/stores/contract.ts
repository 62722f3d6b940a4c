/** The promises of server/session/store.ts, run against every store. */
import { expect } from 'chai';
import * as mocha from 'mocha';
import type { Clock } from '../../../server/clock.js';
import { CreateError, UpdateError } from '../../../server/errors.js';
import { newSessionKey } from '../../../server/session/key.js';
import { liveOf } from '../../../server/session/live.js';
import { mergeRow } from '../../../server/session/merge_row.js';
import type { SessionRecord, SessionStore } from '../../../server/session/store.js';
import { reasonOf } from '../../support/reason.js';

const NOW = 1_767_225_600;

/** Fails the test unless the promise rejects with an error of that class. */
export async function rejects(promise: Promise<unknown>, kind: new (...args: never[]) => Error): Promise<void> {
  expect(await reasonOf(promise)).to.be.instanceOf(kind);
}

export interface StoreUnderTest {
  readonly store: SessionStore;
  /** A row that the store takes, where not every text is one. */
  readonly accepted?: (row: SessionRecord) => SessionRecord;
  /** Release what the store holds. */
  readonly close?: () => Promise<void>;
}

/** Promises that an engine cannot keep by its nature, by their names, each with the reason. */
export type Exceptions = Readonly<Record<string, string>>;

/**
 * @param open makes a store with nothing in it, on the given clock
 * @param exceptions are left out; one that names no promise is an error
 */
export function storeContract(open: (now: Clock) => Promise<StoreUnderTest>, exceptions: Exceptions = {}): void {
  describe('keeps the contract of a session store', () => {
    let store: SessionStore;
    let close: (() => Promise<void>) | undefined;
    let accepted: (row: SessionRecord) => SessionRecord;
    let now: number;
    const unknown = new Set(Object.keys(exceptions));

    function it(promise: string, test: () => Promise<void>): void {
      unknown.delete(promise);
      if (exceptions[promise] === undefined) mocha.it(promise, test);
    }

    beforeEach(async () => {
      now = NOW;
      ({ store, close, accepted = (row: SessionRecord) => row } = await open(() => now));
    });
    afterEach(async () => close?.());

    const record = (changes: Partial<SessionRecord> = {}): SessionRecord =>
      accepted({
        session_key: newSessionKey(),
        session_data: 'first:text',
        expire_date: new Date((NOW + 60) * 1000),
        ...changes,
      });

    it('gives back the very text that was created', async () => {
      const row = record({ session_data: 'a.b-c_d:é€\u{1F511}:end' });
      await store.create(row);
      expect(await store.load(row.session_key)).to.equal(row.session_data);
    });

    it('knows no row that was never created', async () => {
      expect(await store.load(newSessionKey())).to.equal(null);
      expect(await store.exists(newSessionKey())).to.equal(false);
    });

    it('loads a row until the very second of its expire_date, and not from then on', async () => {
      const row = record();
      await store.create(row);
      now = NOW + 59.9;
      expect(await store.load(row.session_key)).to.equal(row.session_data);
      now = NOW + 60;
      expect(await store.load(row.session_key)).to.equal(null);
    });

    it('tells which of many sessions are there and have not expired', async () => {
      const [kept, expired, absent] = [record(), record({ expire_date: new Date((NOW + 30) * 1000) }), record()];
      await store.create(kept);
      await store.create(expired);
      now = NOW + 31;
      const keys = [kept, expired, absent].map(({ session_key }) => session_key);
      expect([...(await liveOf(store, keys))]).to.deep.equal([kept.session_key]);
      expect([...(await liveOf(store, []))]).to.deep.equal([]);
    });

    it('says that an expired row exists as long as it is there', async () => {
      const row = record();
      await store.create(row);
      now = NOW + 61;
      expect(await store.exists(row.session_key)).to.equal(true);
    });

    it('shows a row as it is kept, also an expired one', async () => {
      const row = record();
      await store.create(row);
      const shown = { session_data: row.session_data, expire_date: row.expire_date };
      expect(await store.stored?.(row.session_key)).to.deep.equal(shown);
      now = NOW + 61;
      expect(await store.stored?.(row.session_key)).to.deep.equal(shown);
      expect(await store.stored?.(newSessionKey())).to.equal(null);
    });

    it('refuses to create a key twice and leaves the first row as it is', async () => {
      const row = record();
      await store.create(row);
      await rejects(store.create({ ...row, session_data: 'second:text' }), CreateError);
      expect(await store.load(row.session_key)).to.equal(row.session_data);
    });

    it('replaces a text that nobody changed meanwhile, and its expire_date', async () => {
      const row = record();
      await store.create(row);
      const later = { ...row, session_data: 'second:text', expire_date: new Date((NOW + 600) * 1000) };
      expect(await store.replace('first:text', later)).to.equal(true);
      now = NOW + 500;
      expect(await store.load(row.session_key)).to.equal('second:text');
    });

    it('replaces nothing when the row holds another text', async () => {
      const row = record();
      await store.create(row);
      expect(await store.replace('other:text', { ...row, session_data: 'second:text' })).to.equal(false);
      expect(await store.load(row.session_key)).to.equal(row.session_data);
    });

    it('never brings a deleted row back', async () => {
      const row = record();
      await store.create(row);
      await store.delete(row.session_key);
      expect(await store.replace('first:text', row)).to.equal(false);
      await rejects(
        store.modify(row.session_key, async () => row),
        UpdateError,
      );
      await rejects(
        store.cycle(row.session_key, async () => record()),
        UpdateError,
      );
      expect(await store.exists(row.session_key)).to.equal(false);
    });

    it('hands the present text to modify and writes what it gives', async () => {
      const row = record();
      await store.create(row);
      await store.modify(row.session_key, async (session_data) => ({ ...row, session_data: `${session_data}+` }));
      expect(await store.load(row.session_key)).to.equal('first:text+');
    });

    it('lets modify calls of one row wait for each other, so that none is lost', async () => {
      const row = record({ session_data: '0' });
      await store.create(row);
      const increment = async (session_data: string) => ({ ...row, session_data: String(Number(session_data) + 1) });
      await Promise.all(Array.from({ length: 20 }, () => store.modify(row.session_key, increment)));
      expect(await store.load(row.session_key)).to.equal('20');
    });

    it('merges the changes of saves that wait for each other, so that none is lost', async () => {
      const row = record({ session_data: '0' });
      await store.create(row);
      const merges = Array.from({ length: 40 }, (_, n) =>
        mergeRow(store, row.session_key, (session_data) => ({ ...row, session_data: `${session_data} ${n + 1}` })),
      );
      await Promise.all(merges);
      const merged = ((await store.load(row.session_key)) ?? '').split(' ').map(Number);
      expect(merged.sort((one, other) => one - other)).to.deep.equal(Array.from({ length: 41 }, (_, n) => n));
      await store.delete(row.session_key);
      await rejects(
        mergeRow(store, row.session_key, () => row),
        UpdateError,
      );
    });

    it('writes nothing when a modification throws, and passes the error on', async () => {
      const row = record();
      await store.create(row);
      await rejects(
        store.modify(row.session_key, async () => {
          throw new RangeError('no');
        }),
        RangeError,
      );
      expect(await store.load(row.session_key)).to.equal(row.session_data);
    });

    it('cycles a row to a new key: the new one is there, the old one gone', async () => {
      const row = record();
      const next = record({ session_data: 'cycled:text' });
      await store.create(row);
      await store.cycle(row.session_key, async () => next);
      expect(await store.load(next.session_key)).to.equal('cycled:text');
      expect(await store.exists(row.session_key)).to.equal(false);
    });

    it('keeps the old row when the change of a cycle throws, and passes the error on', async () => {
      const row = record();
      await store.create(row);
      await rejects(
        store.cycle(row.session_key, async () => {
          throw new RangeError('no');
        }),
        RangeError,
      );
      expect(await store.load(row.session_key)).to.equal(row.session_data);
    });

    it('keeps the old row when the new key is taken', async () => {
      const row = record();
      const taken = record({ session_data: "somebody else's" });
      await store.create(row);
      await store.create(taken);
      await rejects(
        store.cycle(row.session_key, async () => ({ ...taken, session_data: 'mine' })),
        CreateError,
      );
      expect(await store.load(row.session_key)).to.equal(row.session_data);
      expect(await store.load(taken.session_key)).to.equal("somebody else's");
    });

    it('deletes one row, and nothing when there is none', async () => {
      const row = record();
      const other = record();
      await store.create(row);
      await store.create(other);
      await store.delete(row.session_key);
      await store.delete(row.session_key);
      expect(await store.exists(row.session_key)).to.equal(false);
      expect(await store.exists(other.session_key)).to.equal(true);
    });

    it('clears what expired before now, and nothing else', async () => {
      const past = record({ expire_date: new Date((NOW - 1) * 1000) });
      const present = record({ expire_date: new Date(NOW * 1000) });
      const future = record();
      for (const row of [past, present, future]) await store.create(row);
      expect(await store.clear_expired()).to.equal(1);
      const left = await Promise.all([past, present, future].map((row) => store.exists(row.session_key)));
      expect(left).to.deep.equal([false, true, true]);
    });

    if (unknown.size > 0) throw new Error(`The contract has no promise that it ${[...unknown].join(', or ')}.`);
  });
}
