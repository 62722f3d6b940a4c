/** Messages for the errors of Redis and its client, about CACHE_URL. Their own messages may contain a key or a user name. */

/** An error reply of Redis begins with a code in capitals. The client's own errors do not. */
const REFUSAL = /^[A-Z]{2,20}(?= )/;

/** Redis before 7 wraps errors in scripts: `ERR Error running script … -READONLY …`. */
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

/** Messages by the beginning of the error's text. */
const BY_TEXT: readonly (readonly [string, string])[] = [
  ['ERR AUTH ', OTHER_ACCOUNT],
  ['ERR invalid password', OTHER_ACCOUNT],
  ['ERR DB index', 'Redis has no database of the number in CACHE_URL.'],
  ['ERR invalid DB index', 'Redis has no database of the number in CACHE_URL.'],
  ['ERR unknown command', 'What CACHE_URL leads to lacks a command of Redis. Sentinels are written redis+sentinel://.'],
  ['None of the sentinels', `No sentinel of CACHE_URL answers, or knows a master of that name. ${LATER}`],
  ['All the root nodes', `No host of CACHE_URL answers as a node of a cluster. ${LATER}`],
];

/** The code of an error reply of Redis; null for other errors. */
export function redisCode(error: unknown): string | null {
  return REFUSAL.exec(textOf(error))?.[0] ?? null;
}

/** The message for a log, an error page and `/readyz`. */
export function sentenceOf(error: unknown): string {
  const text = textOf(error);
  const known = BY_CODE[redisCode(error) ?? ''] ?? BY_TEXT.find(([beginning]) => text.startsWith(beginning))?.[1];
  return known ?? SILENCE;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message.replace(IN_SCRIPT, '') : '');
