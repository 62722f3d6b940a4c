/** Shared by all commands: their interface, their database, their exit codes. */
import type { Knex } from 'knex';
import { type OwnSettings, ownSettings } from '../../config/settings.js';
import { shownDatabase } from '../db/database_url.js';
import { connectKnex } from '../db/knex.js';
import { sentenceOf } from '../db/sentences.js';
import { isUnavailable } from '../db/unavailable.js';
import { runningEmbeddedUrl, startEmbeddedPostgres } from '../embedded_database/index.js';
import { StoreUnavailable } from '../errors.js';

/** 0 success; 1 failure, or not found; 2 wrong usage. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An option of node:util's parseArgs, with its line in `--help`. */
export interface Option {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** For a `string`: the placeholder of the value in the help text. */
  readonly value?: string;
  readonly help: string;
}

export interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The positional arguments, for `--help`. */
  readonly details?: string;
  readonly options?: Readonly<Record<string, Option>>;
  /** Names of the required arguments. */
  readonly positionals?: readonly string[];
  run(given: Arguments): Promise<ExitCode>;
}

/** Wrong usage of a command; the message explains it and mentions `--help`. */
export class UsageError extends Error {}

/** The whole number that an option gives, 1 or more. @throws UsageError for anything else */
export function wholeNumber(option: string, { values }: Pick<Arguments, 'values'>, otherwise: number): number {
  const number = Number(values[option] ?? otherwise);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new UsageError(`--${option} is a whole number, 1 or more.`);
}

export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

export const printError = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/**
 * Do `work` on the database: DATABASE_URL; without it the embedded PostgreSQL of the running server, or a temporary
 * embedded PostgreSQL.
 */
export async function withDatabase<T>(work: (knex: Knex) => Promise<T>): Promise<T> {
  const { url, stop } = await openDatabase(ownSettings());
  const knex = connectKnex(url, { poolSize: 2, connect_timeout: 5, statement_timeout: 0 });
  try {
    return await work(knex);
  } catch (error) {
    const root = error instanceof StoreUnavailable ? (error.cause ?? error) : error;
    const known = root instanceof StoreUnavailable || sentenceOf(root) !== undefined;
    throw !known && isUnavailable(root) ? new DatabaseAway(url, root) : root;
  } finally {
    await knex.destroy();
    await stop();
  }
}

interface OpenDatabase {
  readonly url: string;
  stop(): Promise<void>;
}

async function openDatabase({ DATABASE_URL, DATA_FOLDER }: OwnSettings): Promise<OpenDatabase> {
  const url = DATABASE_URL ?? runningEmbeddedUrl(DATA_FOLDER);
  if (url !== undefined) return { url, stop: () => Promise.resolve() };
  return startEmbeddedPostgres({ folder: DATA_FOLDER, log: printError });
}

/** The error for an unavailable database. It does not contain the driver's message, whose content varies. */
class DatabaseAway extends Error {
  constructor(url: string, cause: unknown) {
    super(`The database at ${shownDatabase(url)} does not answer. Is it running, and is DATABASE_URL right?`, {
      cause,
    });
  }
}
