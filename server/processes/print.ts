/** Prints to the terminal. */
import { inOneSentence } from '../db/sentences.js';

// The reader of a pipe, such as `head`, may have exited: the server continues.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** The message of an error; a stack does not help with a port in use. */
export function fail(error: unknown): never {
  process.stderr.write(`${inOneSentence(error)}\n`);
  process.exit(1);
}
