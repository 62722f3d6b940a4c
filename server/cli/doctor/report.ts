/** Looks at a database and says in words, or as JSON, whether a Django and this server will share logins. */
import type { Knex } from 'knex';
import { type Clock, systemClock } from '../../clock.js';
import { gatherFacts } from '../../db/facts.js';
import type { Settings } from '../../settings.js';
import { type Diagnosis, diagnose, type Finding, type Level } from './diagnose.js';
import { userIds } from './rows.js';

export const DEFAULT_SAMPLE = 1000;

export interface ExamineOptions {
  readonly settings: Settings;
  /** How many of the newest rows to verify. */
  readonly sample?: number;
  readonly now?: Clock;
}

/** Writes nothing to the database. @throws what the database throws when it is away or refuses */
export async function examine(knex: Knex, options: ExamineOptions): Promise<Diagnosis> {
  const { settings, sample = DEFAULT_SAMPLE, now = systemClock } = options;
  const facts = await gatherFacts(knex, { sample, now, userIds: (rows) => userIds(rows, settings) });
  return diagnose(facts, settings);
}

const MARKS: Readonly<Record<Level, string>> = {
  ok: 'ok      ',
  note: 'note    ',
  warning: 'warning ',
  problem: 'PROBLEM ',
};

/** One line for each finding, its advice below it, and the verdict last. */
export function inWords({ healthy, findings }: Diagnosis): string {
  const lines = findings.flatMap(({ level, text, advice }: Finding) =>
    advice === undefined ? [MARKS[level] + text] : [MARKS[level] + text, `${' '.repeat(8)}→ ${advice}`],
  );
  const warnings = findings.filter(({ level }) => level === 'warning').length;
  const verdict = healthy
    ? `A Django with these settings and this server share their logins${warnings > 0 ? `; ${warnings} ${warnings === 1 ? 'thing' : 'things'} to look at` : ''}.`
    : 'A Django and this server will not share logins until the problems above are solved.';
  return [...lines, verdict].join('\n');
}
