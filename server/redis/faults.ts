/** What Redis and its client say, in sentences about CACHE_URL. Their own words may repeat a key or an account. */

/** An error that Redis itself answered: its first word is a code in capitals. The client's own errors are sentences. */
const REFUSAL = /^[A-Z]{2,20}(?= )/;

/** Redis before 7 wraps what a script was told. */
const IN_SCRIPT = /^ERR Error running script.* -(?=READONLY |MASTERDOWN |CLUSTERDOWN )/;

const LATER = 'Try again in a moment.';
const SILENCE = `Redis does not answer, or not in time. ${LATER}`;
const OTHER_ACCOUNT = 'Redis refuses the user or the password of CACHE_URL.';

const BY_CODE: Readonly<Record<string, string>> = {
  MOVED: 'This Redis is a node of a cluster: let CACHE_URL begin with redis+cluster://.',
  ASK: 'This Redis is a node of a cluster: let CACHE_URL begin with redis+cluster://.',
  WRONGPASS: OTHER_ACCOUNT,
  NOAUTH: OTHER_ACCOUNT,
  NOPERM: 'Redis does not let the user of CACHE_URL run a command; ENGINES.md says which it needs.',
  READONLY: `Redis is a replica, which takes no writes. ${LATER}`,
  OOM: 'Redis is full (maxmemory) and takes no writes.',
  MISCONF: 'Redis takes no writes because it cannot save them (MISCONF).',
  NOREPLICAS: `Redis takes no writes while too few replicas are connected. ${LATER}`,
};

/** By the beginning of the text. */
const BY_TEXT: readonly (readonly [string, string])[] = [
  ['ERR AUTH ', OTHER_ACCOUNT],
  ['ERR invalid password', OTHER_ACCOUNT],
  ['ERR DB index', 'Redis has no database of the number in CACHE_URL.'],
  ['ERR invalid DB index', 'Redis has no database of the number in CACHE_URL.'],
  ['ERR unknown command', 'What CACHE_URL leads to lacks a command of Redis. Sentinels are written redis+sentinel://.'],
  ['None of the sentinels', `No sentinel of CACHE_URL answers, or knows a master of that name. ${LATER}`],
  ['All the root nodes', `No host of CACHE_URL answers as a node of a cluster. ${LATER}`],
];

/** null when it was not Redis that answered. */
export function redisCode(error: unknown): string | null {
  return REFUSAL.exec(textOf(error))?.[0] ?? null;
}

/** For a log, a page of an error and `/readyz`. */
export function sentenceOf(error: unknown): string {
  const text = textOf(error);
  const known = BY_CODE[redisCode(error) ?? ''] ?? BY_TEXT.find(([beginning]) => text.startsWith(beginning))?.[1];
  return known ?? SILENCE;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message.replace(IN_SCRIPT, '') : '');
