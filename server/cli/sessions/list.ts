/** `sessions list`: lists the sessions of a user. */
import type { Entry } from '../../auth/user_sessions/table.js';
import { type BrowserName, readUserAgent } from '../../auth/user_sessions/user_agent.js';
import { ImproperlyConfigured } from '../../errors.js';
import { type Command, EXIT, print, printError } from '../command.js';
import { minuteOf, SHORT_ID, withSessionsOf } from './tables.js';

export const command: Command = {
  summary: 'Show where a user is logged in.',
  details: `Prints an id for "sessions revoke", browser and system, network, begin, last use and expiry, the last used first.
Lists only sessions that have been used at this server, not those used only at Django.`,
  options: {
    user: { type: 'string', value: 'NAME', help: 'The name of the user (the value of USERNAME_FIELD).' },
    keys: { type: 'boolean', help: 'Show the session keys too. Each of them gives access to the account.' },
  },
  run: ({ values }) =>
    withSessionsOf(values['user'], async ({ user, entries }) => {
      const name = user.get_username();
      if (entries.length === 0) print(`${JSON.stringify(name)} has no session at this server.`);
      const rows = await Promise.all(entries.map((entry) => rowOf(entry, values['keys'] === true)));
      if (rows.length > 0) printTable([['id', 'browser', 'network', 'begun', 'last seen', 'expires'], ...rows]);
      return EXIT.ok;
    }),
};

async function rowOf(entry: Entry, withKey: boolean): Promise<string[]> {
  const { browser, system } = await browserOf(entry.user_agent);
  const titled = [browser ?? 'unknown', ...(system === null ? [] : [`on ${system}`])].join(' ');
  const times = [entry.begun, entry.last_seen, entry.expire_date].map(minuteOf);
  return [entry.id.slice(0, SHORT_ID), titled, entry.address, ...times, ...(withKey ? [entry.session_key] : [])];
}

let isTold = false;

/** Without the package bowser the list is printed without browser names. */
async function browserOf(user_agent: string): Promise<BrowserName> {
  try {
    return await readUserAgent(user_agent);
  } catch (error) {
    if (!(error instanceof ImproperlyConfigured)) throw error;
    if (!isTold) printError(error.message);
    isTold = true;
    return { browser: null, system: null };
  }
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
