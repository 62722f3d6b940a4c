/** `inspect KEY`: shows a row of the session table, and whether this server would accept it. */

import { presentKey } from '../../config/development_key.js';
import { ownSettings, serverSettings } from '../../config/settings.js';
import { quoteTable } from '../db/session_table.js';
import { rowsOf } from '../rows.js';
import { SessionCodec, Unreadable } from '../session/codec.js';
import type { Settings } from '../settings.js';
import { type Command, EXIT, print, printError, withDatabase } from './command.js';
import { Prompt } from './prompt.js';

/** Keys whose values are not printed, because they are as sensitive as passwords. */
const HIDDEN: ReadonlySet<string> = new Set(['_auth_user_hash']);

interface Row {
  readonly session_data: string;
  readonly expire_date: string;
  /** Seconds until it expires, by the database's clock. */
  readonly lifetime: number;
}

export const command: Command = {
  summary: 'Show one session.',
  details: `KEY is the value of the sessionid cookie; "-" reads it from standard input, so that the list of processes does not
show it. The exit code is 0 if this server accepts the session, and 1 if there is no such row, it has expired, or neither
SECRET_KEY nor SECRET_KEY_FALLBACKS signed it.`,
  positionals: ['KEY'],
  async run({ positionals: [given = ''] }) {
    const key = given === '-' ? (await new Prompt().ask({ what: 'KEY', secret: true })).trim() : given;
    const settings = serverSettings(() => presentKey(ownSettings())).django;
    const [row] = await withDatabase((knex) =>
      rowsOf<Row>(
        knex,
        `SELECT session_data, expire_date::text, extract(epoch FROM expire_date - now())::float8 AS lifetime
           FROM ${quoteTable(settings.SESSION_TABLE)} WHERE session_key = ?`,
        // PostgreSQL's text holds no NUL, so no row has such a key.
        [key.replaceAll('\0', '\ufffd')],
      ),
    );
    if (row === undefined) {
      printError(
        'There is no session with this key: it never was, it ended with a logout, or it expired and was cleared.',
      );
      return EXIT.failed;
    }
    return describe(key, row, settings) ? EXIT.ok : EXIT.failed;
  },
};

/** Prints the session. @returns whether a server with these settings accepts it */
function describe(key: string, { session_data, expire_date, lifetime }: Row, settings: Settings): boolean {
  const line = (name: string, value: string): void => print(`${name.padEnd(14)}${value}`);
  // Also reads the legacy format, even if the server does not, to show the content.
  const codec = new SessionCodec({ ...settings, SESSION_READ_LEGACY: true });
  const { key: signer, legacy } = codec.verify(session_data);
  const alive = lifetime > 0;
  line('session_key', `${key.slice(0, 4)}…`);
  line('expire_date', `${expire_date} (${alive ? `in ${duration(lifetime)}` : `expired ${duration(-lifetime)} ago`})`);
  line('signature', signatureState(signer));
  line('format', format(session_data, legacy, settings));
  const members = codec.members(session_data);
  if (members === null || members instanceof Unreadable) {
    line(
      'payload',
      signer === null
        ? 'not shown: whoever wrote it did not have a key of ours'
        : 'cannot be read here (too large, nested too deep, or no dictionary): reads as empty, and is left as it is',
    );
  } else {
    line('payload', members.size === 0 ? '{}' : `${members.size} ${members.size === 1 ? 'key' : 'keys'}`);
    for (const [name, json] of members)
      print(`  ${JSON.stringify(name)}: ${HIDDEN.has(name) ? '(hidden)' : shown(json)}`);
  }
  return alive && signer !== null && (!legacy || settings.SESSION_READ_LEGACY);
}

function signatureState(signer: 'current' | number | null): string {
  if (signer === 'current') return 'good, by SECRET_KEY';
  if (signer !== null) return `good, by SECRET_KEY_FALLBACKS[${signer}]`;
  return 'BAD: no key of SECRET_KEY and SECRET_KEY_FALLBACKS fits (another key, another SESSION_KEY_SALT, or changed data)';
}

function format(session_data: string, legacy: boolean, settings: Settings): string {
  if (legacy)
    return `Django 2.2 and 3.0${settings.SESSION_READ_LEGACY ? '' : ' (this server does not read it: SESSION_READ_LEGACY)'}`;
  return session_data.startsWith('.') ? 'Django 3.1 and later, compressed' : 'Django 3.1 and later';
}

/** A terminal obeys control characters, and JSON may hold those from U+007F on as they are. */
function shown(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** In the largest unit that fits, rounded down. */
function duration(seconds: number): string {
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const) {
    const count = Math.floor(seconds / size);
    if (count > 0) return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }
  return `${Math.floor(seconds)} seconds`;
}
