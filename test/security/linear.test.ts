/** Whatever reads a stranger's text does work in proportion to its length: four times as much of anything hostile takes four times as long. */
import { deflateSync } from 'node:zlib';
import { addressBlock } from '../../server/auth/address_block.js';
import {
  Argon2PasswordHasher,
  BCryptPasswordHasher,
  BCryptSHA256PasswordHasher,
  MD5PasswordHasher,
  PBKDF2PasswordHasher,
  ScryptPasswordHasher,
} from '../../server/auth/hashers.js';
import { parseUserKey } from '../../server/auth/user_key.js';
import { foldUsername, normalize_username } from '../../server/auth/username.js';
import { normalize_email } from '../../server/auth/users.js';
import { check_token_format } from '../../server/csrf/token.js';
import { split_domain_port, validate_host } from '../../server/http/allowed_hosts.js';
import { parse_cookie } from '../../server/http/cookie_header.js';
import { errorFields } from '../../server/http/error_fields.js';
import { escapeHtml } from '../../server/http/error_page.js';
import { decodeHeader } from '../../server/http/header_bytes.js';
import { len, repr, strip } from '../../server/http/python_text.js';
import { urlsplit, urlunsplit } from '../../server/http/python_url.js';
import { parseForm } from '../../server/http/query_dict.js';
import { url_has_allowed_host_and_scheme } from '../../server/http/safe_url.js';
import { patch_vary_headers } from '../../server/http/vary.js';
import { SessionCodec } from '../../server/session/codec.js';
import { get_expiry_age } from '../../server/session/expiry.js';
import { validSessionKey } from '../../server/session/key.js';
import { b64url_decode, b64url_encode } from '../../server/signing/base64url.js';
import { unsignCookie } from '../../server/signing/cookie_signer.js';
import { splitMembers } from '../../server/signing/members.js';
import { parseJson } from '../../server/signing/python_json.js';
import { TimestampSigner } from '../../server/signing/signer.js';
import { acceptedLanguage } from '../../server/site/i18n.js';
import { isPlainSvg } from '../../server/site/safe_svg.js';
import { settings } from '../http/serve.js';
import { expectLinear } from '../support/growth.js';

/** What is repeated. */
const PARTS: readonly string[] = [
  'a',
  'a-',
  ' ',
  '\t',
  '\n',
  ';',
  '=',
  ',',
  '"',
  "'",
  '\\',
  '\\"',
  '\\u',
  '%',
  '%25',
  '%C3',
  '&',
  '+',
  '[',
  '[]',
  '{"a":',
  '(',
  '<',
  '</',
  '<path ',
  'x="y" ',
  '9',
  '1_',
  '0.',
  '.',
  ':',
  '::',
  '//',
  '/?#',
  '@',
  'e9',
  '-',
  '\0',
  '\u00a0',
  '\u0085',
  '\u0300',
  '\u0300\u0316',
  '\u2100',
  '\ufdfa',
  '\ufeff',
  '\ud800',
  '😀',
  '\xe2\x80',
  'at a:1:1 ',
];
/** What stands before and behind: most patterns are expensive only when something fails at the end. */
const AROUND: readonly (readonly [before: string, after: string])[] = [
  ['', ''],
  ['a', '!'],
  ['"', '"'],
];

/** The smaller one is below what some texts are cut to before they are read. */
const SIZES = [1000, 16_384];

const values = settings();
const codec = new SessionCodec(values);
const signer = new TimestampSigner({ key: values.SECRET_KEY, salt: values.SESSION_KEY_SALT });
const signed = (text: string, compress: boolean): string => {
  const bytes = Buffer.from(text);
  return signer.sign(compress ? `.${b64url_encode(deflateSync(bytes))}` : b64url_encode(bytes));
};
const responses = (vary: string): Parameters<typeof patch_vary_headers>[0] =>
  ({ res: { getHeader: () => vary, setHeader: () => undefined } }) as unknown as Parameters<
    typeof patch_vary_headers
  >[0];
const quietly =
  (work: (text: string) => unknown) =>
  (text: string): void => {
    try {
      work(text);
    } catch {
      // A refusal is an answer.
    }
  };

type Entrance = readonly [what: string, work: (text: string) => unknown, around?: typeof AROUND];

const ENTRANCES: readonly Entrance[] = [
  ['a Cookie header', (text) => parse_cookie(decodeHeader(text)), [...AROUND, ['a="', '"'], ['', '__Host-a=b']]],
  ['a session key', validSessionKey],
  ['a signed cookie', (text) => unsignCookie('a', text, { settings: values }), [...AROUND, ['a:', ':b']]],
  [
    'a Host header',
    (text) => validate_host(split_domain_port(text)[0], ['.example.com', '*']),
    [...AROUND, ['[', ']:1']],
  ],
  ['Accept-Language', acceptedLanguage, [...AROUND, ['a', 'x'], ['a;q=', ';']]],
  ['Origin and Referer', (text) => urlunsplit(urlsplit(text)), [...AROUND, ['https://', '@a'], ['https://[', ']']]],
  ['X-Forwarded-For', addressBlock, [...AROUND, ['::', '%a']]],
  ['next', (text) => url_has_allowed_host_and_scheme(text, 'example.com'), [...AROUND, ['//', '/'], ['a:', '#']]],
  ['a token', check_token_format],
  ['a form', (text) => parseForm(Buffer.from(text), 1_000_000), [...AROUND, ['a=', '&b']]],
  ['a user name', (text) => [normalize_username(text), foldUsername(text)]],
  ['an email address', normalize_email, [...AROUND, ['@', '@']]],
  ['JSON', parseJson, [...AROUND, ['[', ']'], ['{"a":"', '"}'], ['[-', '1e5]'], ['{"a":', '}']]],
  ["a row's payload", splitMembers, [...AROUND, ['{"a":"', '"}'], ['{"a":', '}'], ['{"', '":1}']]],
  ['a row', (text) => codec.members(text), [...AROUND, ['.', ':1:b']]],
  ['a signed row', (text) => codec.members(signed(text, false)), [...AROUND, ['{"a":', '}']]],
  ['a compressed row', (text) => codec.members(signed(text, true)), [...AROUND, ['{"a":"', '"}']]],
  ['base64', b64url_decode],
  [
    "a row's user id",
    (text: string) => [parseUserKey(text, 'bigint'), parseUserKey(text, 'uuid')],
    [...AROUND, ['1', 'x'], [' ', '1 ']],
  ],
  [
    "a row's expiry",
    (text) => get_expiry_age(text, { cookieAge: 1, modification: 0 }),
    [...AROUND, ['2026-01-01T00:00:00.', 'Z']],
  ],
  ["a picture's drawing", isPlainSvg, [...AROUND, ['<svg ', '></svg>'], ['<svg a="', '"></svg>']]],
  ['Vary', (text) => patch_vary_headers(responses(text), 'Cookie', 'Origin')],
  ['a message about it', (text) => [repr(text), escapeHtml(text), strip(text), len(text)]],
  ['an error in the log', (text) => errorFields(Object.assign(new Error('x'), { stack: `Error\n  at ${text}` }))],
];

describe('security: work in proportion to the input', () => {
  for (const [what, work, around = AROUND] of ENTRANCES) {
    it(`${what}: takes linear time, whatever is repeated in it`, async () => {
      for (const part of PARTS) {
        for (const [before, after] of around) {
          const text = (size: number): string => before + part.repeat(Math.ceil(size / part.length)) + after;
          for (const size of SIZES) {
            await expectLinear(text, quietly(work), size).catch((error: Error) => {
              throw new Error(`${JSON.stringify([before, part, after])}: ${error.message}`, { cause: error });
            });
          }
        }
      }
    });
  }

  for (const hasher of [
    new PBKDF2PasswordHasher({ iterations: 1 }),
    new ScryptPasswordHasher({ work_factor: 2 }),
    new Argon2PasswordHasher({ time_cost: 1, memory_cost: 8, parallelism: 1 }),
    new BCryptPasswordHasher({ rounds: 4 }),
    new BCryptSHA256PasswordHasher({ rounds: 4 }),
    new MD5PasswordHasher(),
  ]) {
    it(`a password: is hashed in linear time by ${hasher.algorithm}`, async () => {
      const encoded = await hasher.encode('secret', hasher.salt());
      for (const part of ['a', '\u0300\u0316', '\0']) {
        await expectLinear(
          (size) => part.repeat(size),
          (password) => hasher.verify(password, encoded),
          131_072,
        );
      }
    });
  }

  it('what a row or a body stores as a number: digits without end are refused before they are read', async () => {
    for (const [before, after] of [
      ['', ''],
      ['{"a":', '}'],
      ['{"a":-', '}'],
      ['{"a":0.', '}'],
      ['{"a":1e', '}'],
      ['{"a":1', '.5}'],
      ['{"a":[1,', ']}'],
      ['{"a":{"b":"","c":', '}}'],
    ] as const) {
      const digits = (size: number): string => before + '9'.repeat(size) + after;
      await expectLinear(digits, quietly(parseJson), 1_048_576);
      await expectLinear(
        digits,
        quietly((text) => {
          for (const raw of splitMembers(text)?.values() ?? []) parseJson(raw);
        }),
        1_048_576,
      );
    }
  });
});
