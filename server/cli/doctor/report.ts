/** Examines a database and reports, as text or JSON, whether a Django and this server will share logins. */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../../clock.js';
import type { Settings } from '../../settings.js';
import { diagnose } from './diagnose.js';
import { gatherFacts } from './facts.js';
import { type Diagnosis, environmentLines, type Finding, type Level } from './finding.js';
import { readLogin, readRow, userIds } from './rows.js';
import { gatherUsers } from './users.js';

export const DEFAULT_SAMPLE = 1000;

export interface ExamineOptions {
  readonly settings: Settings;
  /** How many of the newest rows to verify. */
  readonly sample?: number;
  readonly now?: Clock;
}

/** Only reads. @throws the database's errors */
export async function examine(knex: Knex, options: ExamineOptions): Promise<Diagnosis> {
  const { settings, sample = DEFAULT_SAMPLE, now = systemClock } = options;
  const facts = await gatherFacts(knex, {
    table: settings.SESSION_TABLE,
    sample,
    now,
    areOurs: (newest) => newest.some((row) => readRow(row, settings).key !== null),
    users: (trx, newest) => {
      const rows = newest.map((row) => readRow(row, settings));
      const valid = (passwords: ReadonlyMap<string, string>): number =>
        rows.filter((row) => (readLogin(row, passwords, settings)?.hash ?? null) !== null).length;
      return gatherUsers(trx, { settings, ids: userIds(rows), valid });
    },
  });
  return diagnose(facts, settings);
}

const MARKS: Readonly<Record<Level, string>> = {
  ok: 'ok      ',
  note: 'note    ',
  warning: 'warning ',
  problem: 'PROBLEM ',
};

/** The report as text: one line per finding with its advice below, then the lines for the environment, then the result. */
export function inWords({ healthy, findings, environment }: Diagnosis): string {
  const lines = findings.flatMap(({ level, text, advice }: Finding) =>
    advice === undefined ? [MARKS[level] + text] : [MARKS[level] + text, `${' '.repeat(8)}→ ${advice}`],
  );
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  const verdict = healthy
    ? `A Django with these settings and this server share their logins${warnings > 0 ? `; ${warnings} ${warnings === 1 ? 'thing' : 'things'} to look at` : ''}.`
    : 'A Django and this server will not share logins until the problems above are solved.';
  const wanted = environmentLines(environment);
  const advice = wanted.length === 0 ? [] : ['Put into the environment of this server:', ...wanted, ''];
  return [...lines, ...advice, verdict].join('\n');
}
