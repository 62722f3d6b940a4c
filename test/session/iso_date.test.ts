/** Dates as Python reads them; iso_dates.json is made by make_iso_dates.py. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { readIsoDate } from '../../server/session/iso_date.js';

type Entry = readonly [text: string, seconds: number | null, microseconds: number, hasOffset: boolean];

const { python, entries } = JSON.parse(readFileSync(path.join(import.meta.dirname, 'iso_dates.json'), 'utf8')) as {
  readonly python: string;
  readonly entries: readonly Entry[];
};

/** As an entry of the file has it; null for no date. */
function reading(text: string): readonly unknown[] | null {
  const date = readIsoDate(text);
  if (date === undefined) return null;
  const { wall, microseconds, offset = { seconds: 0, microseconds: 0 } } = date;
  const left = microseconds - offset.microseconds;
  const carried = Math.floor(left / 1_000_000);
  return [wall - offset.seconds + carried, left - carried * 1_000_000, date.offset !== undefined];
}

describe('readIsoDate', () => {
  it(`reads and refuses what Python ${python} does, to the microsecond`, () => {
    const wrong: string[] = [];
    for (const [text, ...expected] of entries) {
      const ours = reading(text);
      const theirs = expected[0] === null ? null : expected;
      // Python reads 24:00 from 3.14 on.
      const isNewer = theirs === null && text.includes('24');
      if (!isNewer && JSON.stringify(ours) !== JSON.stringify(theirs)) wrong.push(`${JSON.stringify(text)}: ${ours}`);
    }
    expect(wrong).to.deep.equal([]);
    expect(entries.filter(([, seconds]) => seconds !== null).length).to.be.within(500, entries.length - 500);
  });

  it('takes 24:00 for the midnight after, as Python 3.14, and nothing else of that hour', () => {
    const midnight = Date.parse('2027-01-01T00:00:00Z') / 1000;
    for (const text of ['2026-12-31T24:00', '2026-12-31 24', '20261231T240000.000Z', '2026-W53-4T24:00:00+00:00']) {
      expect(reading(text)?.[0], text).to.equal(midnight);
    }
    for (const text of ['2026-12-31T24:01', '2026-12-31T24:00:00.1', '2026-12-31T25:00', '9999-12-31T24:00']) {
      expect(reading(text), text).to.equal(null);
    }
    expect(reading('2026-12-30T00:00:00+24:00')).to.equal(null);
  });

  it('reads a fraction of any length, in time that grows with it alone', () => {
    expect(reading(`2026-01-01T00:00:00.${'9'.repeat(1_000_000)}Z`)?.[1]).to.equal(999_999);
    expect(reading(`2026-01-01T00:00:00.${'9'.repeat(1_000_000)}`)?.[1]).to.equal(999_999);
    expect(reading(`2026${'W'.repeat(1_000_000)}`)).to.equal(null);
  });
});
