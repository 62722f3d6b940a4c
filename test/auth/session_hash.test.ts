import { expect } from 'chai';
import {
  get_session_auth_fallback_hash,
  get_session_auth_hash,
  verify_session_auth_hash,
} from '../../server/auth/session_hash.js';
import { type VectorEntry, vectorSuite } from '../support/vectors.js';

interface HashEntry extends VectorEntry {
  readonly secret_key: string;
  readonly password_field: string;
  readonly hash: string;
}

/** What Django before 3.1 wrote ends here: a login there is a login there. */
function notAccepted({ secret_key, password_field, hash }: HashEntry): void {
  expect(hash).to.have.lengthOf(40);
  expect(get_session_auth_hash(password_field, secret_key)).to.not.equal(hash);
  const settings = { SECRET_KEY: secret_key, SECRET_KEY_FALLBACKS: [secret_key] };
  expect(verify_session_auth_hash(hash, password_field, settings)).to.equal(null);
}

const nameOf = ({ secret_key, password_field, hash }: HashEntry): string =>
  `${secret_key.slice(0, 16)} over ${JSON.stringify(password_field.slice(0, 24))}, ${hash.length * 4} bits`;

vectorSuite<HashEntry>(
  'session_auth_hash',
  ({ secret_key, password_field, hash }) => {
    expect(get_session_auth_hash(password_field, secret_key)).to.equal(hash);
    const settings = { SECRET_KEY: secret_key, SECRET_KEY_FALLBACKS: [] };
    expect(verify_session_auth_hash(hash, password_field, settings)).to.equal('current');
  },
  { older: notAccepted, name: nameOf },
);

vectorSuite<HashEntry>('legacy_session_auth_hash_sha1', notAccepted, { name: nameOf });

interface FallbackEntry extends HashEntry {
  readonly fallbacks: readonly string[];
  readonly fallback_hashes: readonly string[];
}

vectorSuite<FallbackEntry>('session_auth_fallback_hash', (entry) => {
  const { secret_key, password_field } = entry;
  const settings = { SECRET_KEY: secret_key, SECRET_KEY_FALLBACKS: entry.fallbacks };
  expect(get_session_auth_hash(password_field, secret_key)).to.equal(entry.hash);
  expect([...get_session_auth_fallback_hash(password_field, settings)]).to.deep.equal(entry.fallback_hashes);
  for (const hash of entry.fallback_hashes) {
    expect(verify_session_auth_hash(hash, password_field, settings)).to.equal('fallback');
  }
});

describe('verify_session_auth_hash', () => {
  const settings = { SECRET_KEY: 'new', SECRET_KEY_FALLBACKS: ['old'] };

  it('takes nothing but a text of the right hash', () => {
    const hash = get_session_auth_hash('pbkdf2_sha256$1$a$b', 'new');
    for (const wrong of [null, undefined, '', 0, 1, true, [], [hash], { hash }, hash.toUpperCase(), `${hash} `, 'é']) {
      expect(verify_session_auth_hash(wrong, 'pbkdf2_sha256$1$a$b', settings)).to.equal(null);
    }
  });

  it('takes no hash of another password', () => {
    const hash = get_session_auth_hash('pbkdf2_sha256$1$a$b', 'new');
    expect(verify_session_auth_hash(hash, 'pbkdf2_sha256$1$a$c', settings)).to.equal(null);
  });
});
