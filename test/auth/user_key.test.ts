/** Keys of users as sessions hold them, by the type of their column. */
import { expect } from 'chai';
import { type KeyType, keyTypeOf, keyValue, parseUserKey } from '../../server/auth/user_key.js';

const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

describe('parseUserKey', () => {
  for (const [type, text, key] of [
    ['integer', '1', '1'],
    ['integer', ' 1\n', '1'],
    ['integer', '+1', '1'],
    ['integer', '-1', '-1'],
    ['integer', '007', '7'],
    ['integer', '1_0', '10'],
    ['integer', '2147483647', '2147483647'],
    ['integer', '2147483648', null],
    ['integer', '-2147483648', '-2147483648'],
    ['integer', '', null],
    ['integer', 'abc', null],
    ['integer', '1__0', null],
    ['integer', '1 2', null],
    ['integer', '1.5', null],
    ['integer', '1e3', null],
    ['integer', '0x1', null],
    ['integer', 'NaN', null],
    ['integer', '1\0', null],
    ['integer', UUID, null],
    ['integer', '9'.repeat(40), null],
    ['integer', '0'.repeat(100_000), null],
    ['smallint', '32767', '32767'],
    ['smallint', '32768', null],
    ['bigint', '3000000000', '3000000000'],
    ['bigint', '9007199254740993', '9007199254740993'],
    ['bigint', '9223372036854775807', '9223372036854775807'],
    ['bigint', '9223372036854775808', null],
    ['uuid', UUID, UUID],
    ['uuid', UUID.toUpperCase(), UUID],
    ['uuid', UUID.replaceAll('-', ''), UUID],
    ['uuid', `{${UUID}}`, UUID],
    ['uuid', `urn:uuid:${UUID}`, UUID],
    ['uuid', '7', null],
    ['uuid', '', null],
    ['uuid', `${UUID}0`, null],
    ['uuid', `${UUID}\0`, null],
    ['uuid', 'g'.repeat(32), null],
    ['text', 'alice@example.com', 'alice@example.com'],
    ['text', '', ''],
    ['text', 'a\0', null],
    ['text', '\ud800', null],
    ['text', 'x'.repeat(256), null],
  ] as const) {
    it(`reads ${JSON.stringify(text.slice(0, 50))} as ${type} ${key}`, () => {
      expect(parseUserKey(text, type)).to.equal(key);
    });
  }
});

describe('keyValue', () => {
  it('is a number where JavaScript holds it exactly, and text otherwise', () => {
    expect(keyValue('7', 'integer')).to.equal(7);
    expect(keyValue('9007199254740991', 'bigint')).to.equal(9007199254740991);
    expect(keyValue('9007199254740993', 'bigint')).to.equal('9007199254740993');
    expect(keyValue(UUID, 'uuid')).to.equal(UUID);
    expect(keyValue('7', 'text')).to.equal('7');
  });
});

describe('keyTypeOf', () => {
  it('knows the types of the keys that Django makes', () => {
    const types: readonly (readonly [string, KeyType | undefined])[] = [
      ['integer', 'integer'],
      ['bigint', 'bigint'],
      ['smallint', 'smallint'],
      ['uuid', 'uuid'],
      ['text', 'text'],
      ['character varying(30)', 'text'],
      ['character varying', 'text'],
      ['double precision', undefined],
      ['bytea', undefined],
    ];
    for (const [printed, type] of types) expect(keyTypeOf(printed), printed).to.equal(type);
  });
});
