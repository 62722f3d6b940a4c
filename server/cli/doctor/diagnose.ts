/** Makes the findings from the facts: will a Django on this database and this server share logins? Pure functions. */
import { DJANGO_SESSION } from '../../db/session_table.js';
import { searchPathAdvice, searchPathOption } from '../../search_path.js';
import type { Settings } from '../../settings.js';
import { accounts } from './accounts.js';
import { type Facts, MOST_EXPIRED } from './facts.js';
import { type Diagnosis, environmentLines, type Finding, type Level } from './finding.js';
import { guesses, type RowFinding, readLogin, readRow } from './rows.js';
import type { UserFacts } from './users.js';

type DoctorFacts = Facts<UserFacts>;

const COLUMNS = [
  'session_key character varying(40) not null',
  'session_data text not null',
  'expire_date timestamp with time zone not null',
];

const INDEXES: readonly (readonly [definition: string, purpose: string])[] = [
  ['unique btree (session_key)', 'the primary key on session_key'],
  ['btree (session_key varchar_pattern_ops)', 'django_session_session_key_c0390e0f_like on session_key'],
  ['btree (expire_date)', 'django_session_expire_date_a5c62663 on expire_date'],
];

const DAY = 86_400;

/** @param settings of this server; the findings never contain SECRET_KEY or its fallbacks */
export function diagnose(facts: DoctorFacts, settings: Settings): Diagnosis {
  const rows = facts.newest.map((row) => readRow(row, settings));
  const logins = rows.map((row) => readLogin(row, facts.users.passwords, settings)).filter((login) => login !== null);
  const findings = [
    ...place(facts),
    ...table(facts, settings),
    clock(facts),
    ...(facts.sessionColumns === null
      ? []
      : [
          signatures(facts, rows, settings),
          ...payloads(rows, settings),
          ...legacy(rows, settings),
          ...expired(facts),
          ...timeZones(rows, settings),
        ]),
    ...accounts(facts.users, logins, settings),
    ...traffic(facts),
  ];
  const environment = {
    // PGOPTIONS, which pg reads if DATABASE_URL has no options, because DATABASE_URL contains a password.
    ...(facts.schema === null || facts.isPathGiven ? {} : { PGOPTIONS: searchPathOption(facts.schema) }),
    ...(facts.sessionTable === settings.SESSION_TABLE ? {} : { SESSION_TABLE: facts.sessionTable }),
    ...facts.users.lines,
  };
  return { healthy: findings.every(({ level }) => level !== 'problem'), findings, environment };
}

function place({ schema }: DoctorFacts): Finding[] {
  if (schema === null) return [];
  const text = `Django has migrated in schema ${schema}, which is not on the search_path of this connection. What follows is about the tables there.`;
  const advice = `Put it on the search_path, ${searchPathAdvice(schema)}`;
  return [{ check: 'search_path', level: 'problem', text, advice }];
}

function table(
  { sessionTable, sessionTableProblem, sessionColumns, sessionIndexes, recorded, newest }: DoctorFacts,
  { SESSION_TABLE }: Settings,
): Finding[] {
  const check = 'table';
  if (sessionColumns === null) {
    const advice = "Check DATABASE_URL and the search_path; then run this server's or Django's migrate.";
    return [{ check, level: 'problem', text: `There is no table ${sessionTable} in this database.`, advice }];
  }
  const findings: Finding[] = [];
  const hasRows = newest.length > 0;
  if (sessionTable !== SESSION_TABLE) {
    const text = hasRows
      ? `SESSION_TABLE is ${SESSION_TABLE}, where no live session is; the sessions of this database are in ${sessionTable}.`
      : `SESSION_TABLE is ${SESSION_TABLE}, but this Django has a session model of its own with the table ${sessionTable}; neither has a row yet.`;
    const [line] = environmentLines({ SESSION_TABLE: sessionTable });
    const advice = hasRows ? `Set ${line}.` : `Set ${line}, or log in at Django once and run this again.`;
    findings.push({ check, level: 'problem', text, advice });
  }
  const wrong = COLUMNS.filter((column) => !sessionColumns.includes(column));
  if (wrong.length > 0) {
    const text = `${sessionTable} is not in Django's shape: it lacks "${wrong.join('", "')}".`;
    findings.push({ check, level: 'problem', text, advice: 'It may belong to another application. Rename that one.' });
  } else if (sessionTableProblem !== null) {
    findings.push({ check, level: 'problem', text: sessionTableProblem });
  } else {
    findings.push({ check, level: 'ok', text: `${sessionTable} has Django's columns.` });
  }
  const missing = INDEXES.filter(([definition]) => !sessionIndexes.includes(definition));
  for (const [definition, purpose] of missing) {
    const level: Level = definition.startsWith('unique') ? 'problem' : 'warning';
    const what = sessionTable === DJANGO_SESSION ? purpose : 'an index';
    const advice = `Create it: ${definition}.`;
    findings.push({ check: 'indexes', level, text: `${sessionTable} lacks ${what}.`, advice });
  }
  if (missing.length === 0) {
    findings.push({ check: 'indexes', level: 'ok', text: `${sessionTable} has Django's indexes.` });
  }
  if (!recorded && sessionTable === DJANGO_SESSION) {
    findings.push({
      check: 'history',
      level: 'warning',
      text: 'django_migrations does not know sessions.0001_initial, so that a plain migrate of Django would fail.',
      advice: "Run Django's migrate with --fake-initial once.",
    });
  }
  return findings;
}

function clock({ clockDifference }: DoctorFacts): Finding {
  const check = 'clock';
  const seconds = Math.abs(clockDifference);
  const text = `The database's clock is ${seconds.toFixed(1)} s ${clockDifference < 0 ? 'behind' : 'ahead of'} this machine's.`;
  if (seconds <= 2) return { check, level: 'ok', text };
  const advice = 'Sessions start and end by these clocks: let NTP set both, and that of the machine where Django runs.';
  return { check, level: seconds > 60 ? 'problem' : 'warning', text, advice };
}

function signatures({ newest }: DoctorFacts, rows: readonly RowFinding[], settings: Settings): Finding {
  const check = 'signatures';
  if (rows.length === 0) {
    const text = 'There are no rows yet, so that the SECRET_KEY cannot be tried.';
    return { check, level: 'note', text, advice: 'Log in at Django once and run this again.' };
  }
  const current = rows.filter(({ key }) => key === 'current').length;
  const fallback = settings.SECRET_KEY_FALLBACKS.map((_, place) => rows.filter(({ key }) => key === place).length);
  const none = rows.filter(({ key }) => key === null).length;
  const parts = [
    `${current} verify with SECRET_KEY`,
    ...fallback.map((count, place) => `${count} with fallback ${place + 1}`),
    `${none} with none`,
  ];
  const text = `Of the newest ${rows.length} rows, ${parts.join(', ')}.`;
  if (none === 0) return { check, level: 'ok', text };
  const guess = guesses(settings).find(({ settings: guessed }) =>
    newest.some((row, index) => rows[index]?.key === null && readRow(row, guessed).key !== null),
  );
  if (guess !== undefined) return { check, level: 'problem', text, advice: `Most likely ${guess.what}.` };
  if (none === rows.length) {
    const advice =
      "Django signs with another SECRET_KEY, or with another salt: a session class of its own needs SESSION_KEY_SALT = 'django.contrib.sessions.' and the class's __qualname__.";
    return { check, level: 'problem', text, advice };
  }
  const advice =
    'They are empty sessions here. If they are from before a rotation, put the older key into SECRET_KEY_FALLBACKS.';
  return { check, level: 'warning', text, advice };
}

/** Rows that have a valid signature and no JSON object. */
function payloads(rows: readonly RowFinding[], { SESSION_MAX_BYTES }: Settings): Finding[] {
  const signed = rows.filter(({ key }) => key !== null);
  const unreadable = signed.filter((row) => row.unreadable !== null);
  if (unreadable.length === 0) return [];
  const large = unreadable.filter((row) => row.unreadable === 'too large').length;
  const advice = [
    ...(large < unreadable.length ? [NO_JSON] : []),
    ...(large > 0 ? [`${large} are larger than SESSION_MAX_BYTES, ${SESSION_MAX_BYTES}: raise it.`] : []),
  ].join(' ');
  const text = `${unreadable.length} of ${signed.length} rows with a valid signature cannot be read here.`;
  return [{ check: 'payloads', level: unreadable.length === signed.length ? 'problem' : 'warning', text, advice }];
}

const NO_JSON =
  "Django's SESSION_SERIALIZER must write JSON: set it to 'django.contrib.sessions.serializers.JSONSerializer', the default. Rows of another serializer, such as PickleSerializer, are empty sessions here.";

function legacy(rows: readonly RowFinding[], settings: Settings): Finding[] {
  const count = rows.filter((row) => row.legacy || row.legacyForm).length;
  if (count === 0) return [];
  const text = `${count} of the newest rows are in the format of Django 2.2 and 3.0.`;
  if (settings.SESSION_READ_LEGACY) return [{ check: 'legacy', level: 'note', text }];
  const advice =
    'Set SESSION_READ_LEGACY to read them here. They are never rewritten in passing; saved ones are written in the newer format.';
  return [{ check: 'legacy', level: count === rows.length ? 'problem' : 'warning', text, advice }];
}

function expired({ rows, expired: count, oldestExpired, traffic: { deletes } }: DoctorFacts): Finding[] {
  const check = 'expired';
  if (oldestExpired === null) return [{ check, level: 'ok', text: `No row has expired, of ${rows}.` }];
  const counted = count < MOST_EXPIRED ? count : `${count} or more`;
  const text = `${counted} of about ${rows} rows have expired, the oldest ${age(oldestExpired)} ago.`;
  if (oldestExpired < 2 * DAY) return [{ check, level: 'ok', text }];
  const since = deletes === 0 ? 'clearsessions has never run' : `clearsessions has not run for ${age(oldestExpired)}`;
  const advice = 'Run clearsessions every day, at either side: it removes the expired rows of both.';
  return [{ check, level: 'warning', text: `${text} So ${since}.`, advice }];
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} seconds`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 2 * DAY ? `${Math.round(seconds / 3600)} hours` : `${Math.round(seconds / DAY)} days`;
}

/** Python's isoformat() ends with an offset for an aware datetime (USE_TZ), and without one for a naive datetime. */
function timeZones(rows: readonly RowFinding[], { USE_TZ }: Settings): Finding[] {
  const dates = rows.map(({ members }) => members?.['_session_expiry']).filter((value) => typeof value === 'string');
  if (dates.length === 0) return [];
  const naive = dates.filter((text) => !/(?:Z|[+-]\d\d:\d\d(?::\d\d)?)$/.test(text)).length;
  const check = 'use_tz';
  const text = `${dates.length} rows expire at a date, ${naive} of them without an offset, as a Django with USE_TZ = False writes it.`;
  if (naive === (USE_TZ ? 0 : dates.length)) return [{ check, level: 'ok', text }];
  const advice = USE_TZ
    ? "Set USE_TZ=false here, and TIME_ZONE as at Django, or USE_TZ = True there: it answers 500 to the other's dates."
    : "USE_TZ is off here. Set it as at Django: it answers 500 to the other's dates.";
  return [{ check, level: 'warning', text, advice }];
}

const ENOUGH_WRITES = 100;

/**
 * Engine db searches the table at least twice per write: to load and to save. Fewer searches mean that Django loads from a
 * cache: SESSION_ENGINE cached_db, whose entry stays valid when we change or delete the row.
 */
function traffic({ sessionTable, traffic: { reads, writes } }: DoctorFacts): Finding[] {
  if (writes < ENOUGH_WRITES || reads >= writes * 1.5) return [];
  return [
    {
      check: 'cached_db',
      level: 'warning',
      text: `${sessionTable} was written ${writes} times and searched only ${reads} times: somebody reads sessions from a cache.`,
      advice:
        "If Django's SESSION_ENGINE is cached_db, a logout or change here is not seen there until its cache entry ends: use db at both sides.",
    },
  ];
}
