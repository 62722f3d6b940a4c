import { expect } from 'chai';
import fc from 'fast-check';
import { arrayText, timestamptzText } from '../../server/db/literals.js';
import { databaseOfSuite } from '../support/database.js';

describe('PostgreSQL’s text forms', () => {
  const database = databaseOfSuite();

  it('carry every text in an array', async () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '"', '\\', '{,}', 'NULL', ' ')));
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        const storable = given.map((text) => text.replaceAll('\0', '').toWellFormed());
        const { rows } = await database.knex.raw('SELECT ?::text[] AS texts', [arrayText(storable)]);
        expect(rows[0].texts).to.deep.equal(storable);
      }),
      { numRuns: 100 },
    );
  });

  for (const text of [
    '2026-11-26T09:30:00.123Z',
    '0001-01-01T00:00:00.000Z',
    '0000-12-31T23:59:59.999Z',
    '-000043-03-15T12:00:00.000Z',
    '-004000-02-29T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
    '+012026-11-26T00:00:00.000Z',
    '+275760-09-13T00:00:00.000Z',
  ]) {
    it(`carry the moment ${text}`, async () => {
      const date = new Date(text);
      const { rows } = await database.knex.raw('SELECT extract(epoch FROM ?::timestamptz) AS seconds', [
        timestamptzText(date),
      ]);
      expect(Number(rows[0].seconds)).to.equal(date.getTime() / 1000);
    });
  }

  it('refuse a Date that is none', () => {
    expect(() => timestamptzText(new Date(Number.NaN))).to.throw(RangeError);
  });
});
