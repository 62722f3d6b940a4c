/** What the person who started the server reads. */
import { inOneSentence } from '../db/sentences.js';

// The reader of a pipe, such as `head`, may be gone: the server goes on all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

export const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A sentence for what went wrong; the stack helps nobody who set a port that is in use. */
export function fail(error: unknown): never {
  process.stderr.write(`${inOneSentence(error)}\n`);
  process.exit(1);
}
