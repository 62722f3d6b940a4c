/** Whether a password will do, as Django says. What running Django says of the same is in test/django/live. */
import { expect } from 'chai';
import {
  AUTH_PASSWORD_VALIDATORS,
  MinimumLengthValidator,
  type PasswordValidator,
  UserAttributeSimilarityValidator,
  validate_password,
} from '../../server/auth/password_validation.js';
import { ValidationError, ValueError } from '../../server/errors.js';
import { expectLinear } from '../support/growth.js';
import { reasonOf } from '../support/reason.js';

describe('validate_password', () => {
  async function codes(password: string, options: Parameters<typeof validate_password>[1] = {}): Promise<string[]> {
    const error = await reasonOf(validate_password(password, options));
    return error instanceof ValidationError ? error.problems.map(({ code }) => code) : [];
  }

  for (const [password, ...expected] of [
    ['correct horse battery staple'],
    ['1234567', 'password_too_short', 'password_too_common', 'password_entirely_numeric'],
    ['PASSWORD ', 'password_too_common'],
    ['\u{1F600}'.repeat(7), 'password_too_short'],
    ['\u{1F600}'.repeat(8)],
    ['١٢٣٤٥٦٧٨٩٠٩', 'password_entirely_numeric'],
    ['²³¹①❶᧚⁴₄', 'password_entirely_numeric'],
    ['½½½½½½½½½'],
    ['', 'password_too_short'],
  ] as const) {
    it(`says of ${JSON.stringify(password)}: ${expected.join(', ') || 'good'}`, async () => {
      expect(await codes(password)).to.deep.equal(expected);
    });
  }

  const user = { username: 'joe.cool', first_name: 'Ærøskøbing', last_name: 'x', email: 'joe@example.com', age: 5 };
  for (const [password, isSimilar] of [
    ['joe.cool', true],
    ['JOE.COOL.1', true],
    ['looc.eoj', true],
    ['example.com', true],
    ['ærøskøbing!', true],
    ['something else', false],
    ['x'.repeat(40), false],
  ] as const) {
    it(`finds ${password.slice(0, 20)} ${isSimilar ? 'too similar' : 'different enough'}`, async () => {
      const validators = [new UserAttributeSimilarityValidator()];
      expect(await codes(password, { user, validators })).to.have.lengthOf(isSimilar ? 1 : 0);
    });
  }

  it('takes other options, and validators of one’s own', async () => {
    const own: PasswordValidator = {
      validate: (password) => (password.includes('!') ? null : { code: 'no_mark', message: 'Use a !.', params: {} }),
    };
    const validators = [new MinimumLengthValidator({ min_length: 12 }), own];
    expect(await codes('correct one', { validators })).to.deep.equal(['password_too_short', 'no_mark']);
    expect(() => new UserAttributeSimilarityValidator({ max_similarity: 0 })).to.throw(ValueError);
  });

  it('says what is wrong in one error, fit for visitors', async () => {
    const error = (await reasonOf(validate_password('1234567'))) as ValidationError;
    expect(error).to.include({ code: 'VALIDATION_ERROR', status: 400, expose: true });
    expect(error.message).to.equal(
      'This password is too short. It must contain at least 8 characters. This password is too common. This password is entirely numeric.',
    );
  });

  it('takes time in proportion to the password', async () => {
    await expectLinear(
      (size) => 'a1 '.repeat(size),
      async (password) => {
        for (const validator of AUTH_PASSWORD_VALIDATORS) await validator.validate(password, user);
      },
    );
  });
});
