/** A session's row as the lab shows it: its columns, the parts of session_data, the members. */
import type { SessionChange, SessionCodec } from '../../index.js';
import { printJson } from '../../index.js';
import { b62Moment } from './b62_moment.js';
import { isSecretMember, mask, maskJson } from './mask.js';

/** The maximum characters of session_data and of a member, and the maximum number of members. */
const SHOWN = 2000;
const MEMBER_SHOWN = 400;
const MEMBERS_SHOWN = 60;

/** `payload` and `json` are the stored texts; of secrets in them only the start is shown. */
export interface RowView {
  /** The whole key, to compare rows. Pages show `key`. */
  readonly session_key: string;
  readonly key: string;
  readonly length: number;
  /** Whether the JSON is compressed: session_data begins with a dot. */
  readonly compressed: boolean;
  readonly payload: string;
  readonly time: string;
  /** The time of the signature; null if it has none. */
  readonly signedAt: Date | null;
  readonly signature: string;
  readonly state: 'verified' | 'forged' | 'unreadable';
  /** The JSON as stored, with its escapes; '' unless verified. */
  readonly json: string;
  /** Names and JSON texts. */
  readonly members: readonly (readonly [name: string, json: string])[];
  /** The number of members that are not shown. */
  readonly more: number;
  readonly expire_date: Date;
  /** Whether the session is in the cookie, without a row (engine `signed_cookies`). */
  readonly isCookie: boolean;
}

/** @param stored the row of `session_key` */
export function rowView(session_key: string, stored: SessionChange, codec: SessionCodec): RowView {
  const { session_data, expire_date } = stored;
  const isCookie = session_key === session_data;
  const texts = codec.members(session_data);
  const state = texts === null ? 'forged' : 'reason' in texts ? 'unreadable' : 'verified';
  const all = membersOf(session_data, codec);
  const members = all
    .slice(0, MEMBERS_SHOWN)
    .map(([name, json]) => [name, isSecretMember(name) ? maskJson(json) : cut(json, MEMBER_SHOWN)] as const);
  const compressed = session_data.startsWith('.');
  const [payload = '', time = '', signature = ''] = session_data.slice(compressed ? 1 : 0).split(':');
  const secrets = all.flatMap(([name, json]) => (isSecretMember(name) ? [json] : []));
  const [first = '', ...others] = members.map(([name, json]) => `${printJson(name)}:${json}`);
  return {
    session_key,
    key: mask(session_key),
    length: session_data.length,
    compressed,
    payload: cut(withoutSecrets(payload, compressed, secrets), SHOWN),
    time: cut(time, 20),
    signedAt: b62Moment(time),
    // The whole cookie would be enough to act as the user.
    signature: isCookie ? mask(signature) : cut(signature, 80),
    state,
    json: state === 'verified' ? cut(`{${[first, ...others].join(',')}}`, SHOWN) : '',
    members,
    more: all.length - members.length,
    expire_date,
    isCookie,
  };
}

/** Names and JSON texts; none if the text cannot be verified or read. */
function membersOf(session_data: string, codec: SessionCodec): (readonly [name: string, json: string])[] {
  const texts = codec.members(session_data);
  return texts === null || 'reason' in texts ? [] : [...texts];
}

/** The auth hashes and CSRF secrets in a session_data. */
export function secretsIn(session_data: string, codec: SessionCodec): string[] {
  return membersOf(session_data, codec).flatMap(([name, json]) =>
    isSecretMember(name) ? [json.replaceAll('"', '')] : [],
  );
}

/** The base64 with dots in place of secrets. A compressed payload is shortened, because secrets cannot be found in it. */
function withoutSecrets(payload: string, compressed: boolean, secrets: readonly string[]): string {
  if (secrets.length === 0) return payload;
  if (compressed) return mask(payload);
  const bytes = Buffer.from(payload, 'base64url');
  let shown = payload;
  for (const secret of secrets) {
    const at = bytes.indexOf(secret, 0, 'latin1');
    if (at < 0) return mask(payload);
    // Three bytes are four characters of base64. The first four characters of a secret are shown, as everywhere.
    const [start, end] = [Math.ceil(((at + 5) * 4) / 3), Math.ceil(((at + secret.length) * 4) / 3)];
    shown = shown.slice(0, start) + '•'.repeat(Math.max(0, end - start)) + shown.slice(end);
  }
  return shown;
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
