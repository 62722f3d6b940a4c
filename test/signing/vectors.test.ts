/** Signers and base 62 against what Django gave. */
import { expect } from 'chai';
import { b62_decode, b62_encode } from '../../server/signing/base62.js';
import type { HashAlgorithm } from '../../server/signing/crypto.js';
import { dumps, loads } from '../../server/signing/objects.js';
import { unpack } from '../../server/signing/payload.js';
import { Signer, TimestampSigner } from '../../server/signing/signer.js';
import { VECTORS_SECRET_KEY as key, VECTORS_TIME, type VectorEntry, vectorSuite } from '../support/vectors.js';

const now = () => VECTORS_TIME;

interface SigningEntry extends VectorEntry {
  readonly value?: string;
  readonly salt?: string;
  readonly Signer?: string;
  readonly TimestampSigner?: string;
  readonly Signer_default_salt?: string;
  readonly Timestamp_default_salt?: string;
  readonly dumps_default?: string;
  readonly dumps_salt?: string;
  readonly dumps_list_compress?: string;
}

/** Django signed with SHA-1 before 3.1; everything else is as it was. */
const signingWith =
  (algorithm: HashAlgorithm) =>
  (entry: SigningEntry): void => {
    if (entry.value === undefined) checkDumps(entry, algorithm);
    else checkSigners(entry, entry.value, algorithm);
  };

function checkSigners(entry: SigningEntry, value: string, algorithm: HashAlgorithm): void {
  const { salt } = entry;
  const options = { key, algorithm, ...(salt === undefined ? {} : { salt }) };
  const signer = new Signer(options);
  const stamping = new TimestampSigner({ ...options, now });
  expect(signer.sign(value)).to.equal(entry.Signer);
  expect(signer.unsign(entry.Signer ?? '')).to.equal(value);
  expect(stamping.sign(value)).to.equal(entry.TimestampSigner);
  expect(stamping.unsign(entry.TimestampSigner ?? '', { max_age: 0 })).to.equal(value);
  if (salt !== undefined) return;
  expect(signer.salt).to.equal(entry.Signer_default_salt);
  expect(stamping.salt).to.equal(entry.Timestamp_default_salt);
}

/** `signing.dumps({"hello": "world"})`, `dumps("x", salt="s")`, `dumps(list(range(1, 20)), compress=True)`. */
function checkDumps(entry: SigningEntry, algorithm: HashAlgorithm): void {
  const { dumps_default = '', dumps_salt = '', dumps_list_compress = '' } = entry;
  const numbers = Array.from({ length: 19 }, (_, index) => index + 1);
  const signer = new TimestampSigner({ key, algorithm, now, salt: 'django.core.signing' });
  expect(signer.sign_object({ hello: 'world' })).to.equal(dumps_default);
  expect(signer.unsign_object(dumps_default)).to.deep.equal({ hello: 'world' });
  expect(new TimestampSigner({ key, algorithm, now, salt: 's' }).sign_object('x')).to.equal(dumps_salt);
  // Which bytes zlib makes differs between its builds; what they stand for does not.
  expect(dumps_list_compress).to.match(/^\./);
  expect(signer.unsign_object(dumps_list_compress)).to.deep.equal(numbers);
  const ours = signer.unsign(signer.sign_object(numbers, { compress: true }));
  expect(unpack(ours)).to.equal(unpack(signer.unsign(dumps_list_compress)));
  if (algorithm === 'sha1') return;
  expect(dumps({ hello: 'world' }, { key, now })).to.equal(dumps_default);
  expect(dumps('x', { key, now, salt: 's' })).to.equal(dumps_salt);
  expect(loads(dumps_list_compress, { key, now })).to.deep.equal(numbers);
}

vectorSuite<SigningEntry>('signing', signingWith('sha256'), {
  name: ({ value, salt }) =>
    value === undefined ? 'dumps' : JSON.stringify(value) + (salt === undefined ? '' : ` with salt ${salt}`),
  older: signingWith('sha1'),
});

vectorSuite<VectorEntry & { readonly n: string; readonly b62: string }>(
  'b62',
  ({ n, b62 }) => {
    expect(b62_encode(BigInt(n))).to.equal(b62);
    if (Number.isSafeInteger(Number(n))) expect(b62_encode(Number(n))).to.equal(b62);
    expect(BigInt(b62_decode(b62))).to.equal(BigInt(n));
  },
  { name: ({ n }) => n },
);
