/** Session keys: what a cookie may say. */
import { expect } from 'chai';
import { newSessionKey, validSessionKey } from '../../server/session/key.js';
import { type VectorEntry, vectorSuite } from '../support/vectors.js';

interface KeyEntry extends VectorEntry {
  readonly input: string | null;
  readonly session_key: string | null;
  readonly is_empty_before_load: boolean;
}

vectorSuite<KeyEntry>(
  'session_key_validation',
  ({ input, session_key, is_empty_before_load }) => {
    expect(validSessionKey(input)).to.equal(session_key);
    expect(validSessionKey(input) === null).to.equal(is_empty_before_load);
  },
  {
    name: ({ input }) => JSON.stringify(input),
    cannot: {
      [JSON.stringify('aaaaaaaa\0')]: {
        reason: 'PostgreSQL refuses NUL, and Django answers 500 once it looks for the row',
        instead: ({ input, session_key, is_empty_before_load }) => {
          expect([session_key, is_empty_before_load]).to.deep.equal([input, false]);
          expect(validSessionKey(input)).to.equal(null);
        },
      },
    },
  },
);

describe('validSessionKey', () => {
  it('counts code points as Python does', () => {
    expect(validSessionKey('🔑'.repeat(7))).to.equal(null);
    expect(validSessionKey('🔑'.repeat(8))).to.equal('🔑'.repeat(8));
    expect(validSessionKey('é'.repeat(8))).to.equal('é'.repeat(8));
  });

  it('takes what no row can have for no cookie', () => {
    expect(validSessionKey('\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')).to.equal(null);
    expect(validSessionKey('aaaaaaaa\ud800')).to.equal(null);
    expect(validSessionKey('\udc00\ud800aaaaaaaa')).to.equal(null);
  });

  it('takes no cookie and the empty one for none', () => {
    expect([undefined, null, ''].map(validSessionKey)).to.deep.equal([null, null, null]);
  });
});

describe('newSessionKey', () => {
  it('makes 32 characters of a-z and 0-9 that are valid and differ', () => {
    const keys = Array.from({ length: 500 }, newSessionKey);
    for (const key of keys) {
      expect(key).to.match(/^[a-z0-9]{32}$/);
      expect(validSessionKey(key)).to.equal(key);
    }
    expect(new Set(keys).size).to.equal(500);
  });

  it('uses every character about equally often', () => {
    const counts = new Map<string, number>();
    for (const character of Array.from({ length: 2000 }, newSessionKey).join('')) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).to.equal(36);
    // 64000 / 36 is 1778, the standard deviation 42: 7 of them are never seen.
    for (const count of counts.values()) expect(count).to.be.within(1778 - 294, 1778 + 294);
  });
});
