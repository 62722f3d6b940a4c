/** Secrets and tokens, as Django makes and reads them. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  CSRF_ALLOWED_CHARS,
  check_token_format,
  does_token_match,
  mask_secret,
  newCsrfSecret,
  unmask_token,
} from '../../server/csrf/token.js';
import { type VectorEntry, type VectorItem, vectorSuite } from '../support/vectors.js';

interface CsrfVector extends VectorEntry {
  readonly secret: string;
  readonly mask: string;
  readonly masked_token: string;
  readonly unmasked: string;
}

vectorSuite<CsrfVector>('csrf', ({ secret, mask, masked_token, unmasked }) => {
  expect(mask_secret(secret, mask)).to.equal(masked_token);
  expect(unmask_token(masked_token)).to.equal(unmasked);
  expect(does_token_match(masked_token, secret)).to.equal(true);
});

vectorSuite<VectorItem>('csrf_alphabet', ({ value }) => {
  expect(CSRF_ALLOWED_CHARS).to.equal(value);
});

describe('CSRF token', () => {
  const secrets = fc.string({ unit: fc.constantFrom(...CSRF_ALLOWED_CHARS), minLength: 32, maxLength: 32 });

  it('gives back every secret from under every mask', () => {
    fc.assert(
      fc.property(secrets, secrets, (secret, mask) => {
        const token = mask_secret(secret, mask);
        expect(check_token_format(token)).to.equal(null);
        expect(unmask_token(token)).to.equal(secret);
        expect(does_token_match(token, secret)).to.equal(true);
      }),
    );
  });

  it('matches no other secret', () => {
    fc.assert(
      fc.property(secrets, secrets, (one, two) => {
        expect(does_token_match(mask_secret(one), two)).to.equal(one === two);
      }),
    );
  });

  it('matches with no character changed', () => {
    const secret = newCsrfSecret();
    for (const token of [secret, mask_secret(secret)]) {
      for (let index = 0; index < token.length; index += 1) {
        const other = token.charAt(index) === 'a' ? 'b' : 'a';
        expect(does_token_match(token.slice(0, index) + other + token.slice(index + 1), secret)).to.equal(false);
      }
    }
  });

  it('is another one each time', () => {
    const secret = newCsrfSecret();
    expect(secret).to.match(/^[a-zA-Z0-9]{32}$/);
    expect(mask_secret(secret)).not.to.equal(mask_secret(secret));
    expect(newCsrfSecret()).not.to.equal(secret);
  });

  it('has 32 or 64 letters and digits', () => {
    for (const length of [0, 1, 31, 33, 63, 65, 100_000]) {
      expect(check_token_format('a'.repeat(length))).to.equal('has incorrect length');
    }
    for (const character of ['-', ' ', '\n', '\0', 'é', '清', '😀']) {
      expect(check_token_format(character + 'a'.repeat(31))).to.equal('has invalid characters');
    }
  });
});
