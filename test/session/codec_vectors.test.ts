/** session_data against what Django wrote and read. */
import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { type CodecSettings, SessionCodec, Unreadable } from '../../server/session/codec.js';
import { saltedKey } from '../../server/signing/crypto.js';
import { splitMembers } from '../../server/signing/members.js';
import { unpack } from '../../server/signing/payload.js';
import { joinMembers, parseJson, printJson } from '../../server/signing/python_json.js';
import { TimestampSigner } from '../../server/signing/signer.js';
import { VECTORS_SECRET_KEY, VECTORS_TIME, type VectorEntry, vectorSuite } from '../support/vectors.js';

const SALT = 'django.contrib.sessions.SessionStore';
const MAX_BYTES = 4_194_304;

type Log = readonly (readonly [logger: string, level: string, message: string])[];

/** A codec under a frozen clock, and what it logs, in the vectors' shape. */
function codecWith(settings: Partial<CodecSettings>, time = VECTORS_TIME) {
  const log: [string, string, string][] = [];
  const codec = new SessionCodec(
    {
      SECRET_KEY: VECTORS_SECRET_KEY,
      SECRET_KEY_FALLBACKS: [],
      SESSION_KEY_SALT: SALT,
      SESSION_READ_LEGACY: false,
      SESSION_MAX_BYTES: MAX_BYTES,
      ...settings,
    },
    {
      now: () => time,
      onSuspicious: (message) => log.push(['django.security.SuspiciousSession', 'WARNING', message]),
    },
  );
  return { codec, log };
}

/** The JSON text of the dictionary that a session opens with. */
function opened(codec: SessionCodec, session_data: string): string {
  const members = codec.members(session_data);
  return members === null || members instanceof Unreadable ? '{}' : joinMembers(members);
}

interface DataEntry extends VectorEntry {
  readonly secret_key: string;
  readonly time: number;
  readonly json: string;
  readonly session_data: string;
  readonly compressed: boolean;
}

vectorSuite<DataEntry>('session_data', ({ secret_key, time, json, session_data, compressed }) => {
  const { codec, log } = codecWith({ SECRET_KEY: secret_key }, time);
  expect(codec.decode(session_data)).to.equal(json);
  expect(opened(codec, session_data)).to.equal(json);
  expect(codec.verify(session_data)).to.deep.equal({ key: 'current', legacy: false });

  const ours = codec.encode(json);
  expect(codec.decode(ours)).to.equal(json);
  expect(session_data.startsWith('.')).to.equal(compressed);
  expect(ours.startsWith('.')).to.equal(compressed);
  // Which bytes zlib makes differs between its builds, so compressed texts are held against each other inflated.
  if (!compressed) expect(ours).to.equal(session_data);
  const [payload = '', stamp] = ours.split(':');
  expect(unpack(payload)).to.equal(json);
  expect(stamp).to.equal(session_data.split(':')[1]);
  // Printing what was read gives Python's text again, except that 1.0 and 1 are one number here.
  const floats = /[[:,]-?\d+\.0(?=[,\]}])/.test(json);
  const reordered = entryHasIndexKeys(json);
  if (!floats && !reordered) expect(printJson(parseJson(json))).to.equal(json);
  expect(log).to.deep.equal([]);
});

/** A plain object puts keys that look like array indices first, so order is kept by Map alone. */
const entryHasIndexKeys = (json: string): boolean => /"\d+":/.test(json);

interface LegacyEntry extends VectorEntry {
  readonly secret_key: string;
  readonly json: string;
  readonly session_data: string;
}

vectorSuite<LegacyEntry>('session_data_legacy', ({ secret_key, json, session_data }) => {
  const reading = codecWith({ SECRET_KEY: secret_key, SESSION_READ_LEGACY: true });
  expect(reading.codec.decode(session_data)).to.equal(json);
  expect(reading.codec.verify(session_data)).to.deep.equal({ key: 'current', legacy: true });
  expect(reading.log).to.deep.equal([]);
  expect(reading.codec.encode(json), 'the older format is never written').to.match(/:[\w-]{43}$/);

  const refusing = codecWith({ SECRET_KEY: secret_key });
  expect(refusing.codec.decode(session_data)).to.equal(null);
  expect(refusing.log).to.have.length(1);
});

interface DecodeEntry extends VectorEntry {
  readonly secret_key: string;
  readonly session_data: string;
  readonly log: Log;
  readonly result_json?: string;
  readonly raises?: string;
}

const isDictionary = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What opens: Django's dictionary. Where Django hands on a list, null or a number and then fails, an empty one. */
function expectOpened(codec: SessionCodec, session_data: string, result_json: string): void {
  const theirs = parseJson(result_json);
  expect(parseJson(opened(codec, session_data))).to.deep.equal(isDictionary(theirs) ? theirs : {});
}

/** Whether the text's last part is its signature, computed here without the codec. */
function isSigned(session_data: string, secret_key: string): boolean {
  const end = session_data.lastIndexOf(':');
  const key = saltedKey(`${SALT}signer`, secret_key);
  const signature = createHmac('sha256', key)
    .update(session_data.slice(0, Math.max(end, 0)))
    .digest('base64url');
  return end >= 0 && session_data.slice(end + 1) === signature;
}

vectorSuite<DecodeEntry>(
  'decode',
  ({ secret_key, session_data, log: theirLog, result_json = '', raises }) => {
    expect(raises, 'the newest Django raises for no session_data').to.equal(undefined);
    const { codec, log } = codecWith({ SECRET_KEY: secret_key });
    expectOpened(codec, session_data, result_json);
    expect(log.slice(0, 1)).to.deep.equal(theirLog);
  },
  {
    // Django up to 3.0 read its own format alone, 3.1 and 3.2 both, and some texts made them raise. We read both when
    // SESSION_READ_LEGACY is set, raise for none, and report every text without a right signature.
    older: ({ secret_key, session_data, log: theirLog, result_json, raises }) => {
      const { codec, log } = codecWith({ SECRET_KEY: secret_key, SESSION_READ_LEGACY: true });
      const before = opened(codec, session_data);
      const { key, legacy } = codec.verify(session_data);
      expect(key === 'current' && !legacy).to.equal(isSigned(session_data, secret_key));
      expect(log).to.have.length(key === null ? 1 : 0);
      if (key === null) expect(before).to.equal('{}');
      if (raises !== undefined) return;
      const theirs = parseJson(result_json ?? '');
      if (isDictionary(theirs) && result_json !== '{}') expect(parseJson(before)).to.deep.equal(theirs);
      // They report a broken signature as we do; that a text is not even base64 was no report to them.
      if (theirLog.length > 0 && key === null) expect(log).to.deep.equal(theirLog);
    },
  },
);

interface FallbackEntry extends DecodeEntry {
  readonly secret_key_fallbacks: readonly string[];
  readonly reencoded: string;
}

vectorSuite<FallbackEntry>(
  'decode_fallbacks',
  ({ secret_key, secret_key_fallbacks, session_data, log: theirLog, reencoded, result_json = '' }) => {
    const { codec, log } = codecWith({ SECRET_KEY: secret_key, SECRET_KEY_FALLBACKS: secret_key_fallbacks });
    expectOpened(codec, session_data, result_json);
    expect(log).to.deep.equal(theirLog);
    const place = secret_key_fallbacks.findIndex((key) => isSigned(session_data, key));
    expect(codec.verify(session_data).key).to.equal(place < 0 ? null : place);
    // Django re-encoded {"foo": "bar"}, also where it could not read the text: fallback keys never sign.
    expect(codec.encode('{"foo":"bar"}')).to.equal(reencoded);
  },
);

type SaltEntry = VectorEntry & Readonly<Record<string, { key_salt: string; session_data: string }>>;

vectorSuite<SaltEntry>(
  'engines_same_salt',
  (entry) => {
    for (const engine of Object.keys(entry)) {
      if (engine === 'django') continue;
      const { key_salt, session_data } = entry[engine] ?? { key_salt: '', session_data: '' };
      const { codec } = codecWith({ SESSION_KEY_SALT: key_salt });
      expect(codec.encode('{"foo":"bar"}'), engine).to.equal(session_data);
      expect(codec.decode(session_data), engine).to.equal('{"foo":"bar"}');
    }
  },
  { name: () => 'engines and custom classes' },
);

interface TransitionEntry extends VectorEntry {
  readonly session_data: string;
  readonly signing_dumps_sha1: string;
  readonly signed_cookie_sha1: string;
}

vectorSuite<TransitionEntry>(
  'transition_sha1',
  ({ session_data, signing_dumps_sha1, signed_cookie_sha1 }) => {
    expect(codecWith({ SESSION_READ_LEGACY: true }).codec.decode(session_data)).to.equal('{"foo":"bar"}');
    const options = { algorithm: 'sha1', now: () => VECTORS_TIME } as const;
    const objects = new TimestampSigner({ ...options, key: VECTORS_SECRET_KEY, salt: SALT });
    expect(objects.sign_object({ foo: 'bar' })).to.equal(signing_dumps_sha1);
    // The cookie c with the salt k, in the first scheme.
    const cookies = new TimestampSigner({ ...options, key: `django.http.cookies${VECTORS_SECRET_KEY}`, salt: 'ck' });
    expect(cookies.sign('v')).to.equal(signed_cookie_sha1);
  },
  { name: () => "DEFAULT_HASHING_ALGORITHM = 'sha1'" },
);

interface BytesEntry extends VectorEntry {
  readonly secret_key_bytes_hex: string;
  readonly time: number;
  readonly session_data: string;
}

vectorSuite<BytesEntry>(
  'bytes_secret_key',
  ({ secret_key_bytes_hex, time, session_data }) => {
    const { codec } = codecWith({ SECRET_KEY: Buffer.from(secret_key_bytes_hex, 'hex') }, time);
    expect(codec.encode('{"foo":"bar"}')).to.equal(session_data);
    expect(codec.decode(session_data)).to.equal('{"foo":"bar"}');
  },
  { name: () => 'SECRET_KEY as bytes' },
);

interface MessagesEntry extends VectorEntry {
  readonly session_value: string;
  readonly cookie_value: string;
}

vectorSuite<MessagesEntry>(
  'messages',
  ({ session_value }) => {
    // The messages framework keeps its own JSON text as a string under _messages.
    const { codec } = codecWith({});
    const json = joinMembers([
      ['_messages', printJson(session_value)],
      ['x', '1'],
    ]);
    const members = splitMembers(codec.decode(codec.encode(json)) ?? '') ?? new Map<string, string>();
    expect(members.get('_messages')).to.equal(printJson(session_value));
    expect(parseJson(members.get('_messages') ?? '')).to.equal(session_value);
  },
  { name: () => 'session storage', elsewhere: { cookie_value: 'nobody: the message cookie is not ours to read' } },
);
