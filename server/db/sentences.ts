/** Sentences for database errors that name the setting or command to use. PostgreSQL's messages do not. */
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

/** The sentence for an error, by its SQLSTATE; undefined if there is none. */
export function sentenceOf(error: unknown): string | undefined {
  return SENTENCES.get(codeOf(error)) ?? (isRefusal(error) ? REFUSED : undefined);
}

/** An error as one sentence, without stack, statement or password. */
export function inOneSentence(error: unknown): string {
  if (error instanceof DjangoError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const sentence = sentenceOf(error);
  if (sentence !== undefined) return sentence;
  const code = codeOf(error);
  // Knex puts the statement before pg's message: "select 1 - Connection terminated".
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

/** Why the database does not answer, by the code of the error or of its causes; undefined if no code is known. */
export function reasonAway(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const reason = REASONS.get(codeOf(error));
  if (reason !== undefined) return reason;
  const causes = error instanceof AggregateError ? error.errors : [error.cause];
  return causes.map(reasonAway).find((each) => each !== undefined);
}
