/** What a person can do about the database's errors. PostgreSQL's own words name neither a setting nor a command. */
import { codeOf } from '../error_code.js';
import { DjangoError } from '../errors.js';
import { isRefusal } from './unavailable.js';

const REFUSED = 'The database refuses the user or the password of DATABASE_URL.';

const SENTENCES: ReadonlyMap<unknown, string> = new Map([
  ['3D000', 'There is no database of the name that DATABASE_URL gives. Make it first: createdb NAME.'],
  ['42P01', 'A table is missing. Run: koa-django-session migrate'],
  ['55P03', 'Another process holds what this command needs. Try again later.'],
  ['25006', 'The database is read-only. Use the primary server in DATABASE_URL.'],
  ['53300', 'The database has no connection left. Try again later.'],
  ['42501', "The database's user may not do that. Grant it the right, or use another user in DATABASE_URL."],
]);

/** The sentence for an error of the database, by its SQLSTATE; undefined where there is none. */
export function sentenceOf(error: unknown): string | undefined {
  return SENTENCES.get(codeOf(error)) ?? (isRefusal(error) ? REFUSED : undefined);
}

/** An error in one sentence: no stack, no statement, no password. */
export function inOneSentence(error: unknown): string {
  if (error instanceof DjangoError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const sentence = sentenceOf(error);
  if (sentence !== undefined) return sentence;
  const code = codeOf(error);
  // Knex writes the statement before the driver's words.
  const words = error.message.slice(error.message.lastIndexOf(' - ') + 1).replace(/^- /, '');
  return typeof code === 'string' ? `${words} (${code})` : words;
}

const REASONS: ReadonlyMap<unknown, string> = new Map([
  ['ENOTFOUND', "its host's name is unknown"],
  ['EAI_AGAIN', 'the name server does not answer'],
  ['ECONNREFUSED', 'nothing listens at its address'],
  ['EHOSTUNREACH', 'its host cannot be reached'],
  ['ENETUNREACH', 'its host cannot be reached'],
  ['ENOENT', 'its socket is not there'],
  ['57P03', 'it is starting or shutting down'],
  ['53300', 'it has no connection left'],
]);

/** Why a database does not answer, by the code of the error or of its causes; undefined where none tells. */
export function reasonAway(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const reason = REASONS.get('code' in error ? error.code : undefined);
  if (reason !== undefined) return reason;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  return causes.map(reasonAway).find((each) => each !== undefined);
}
