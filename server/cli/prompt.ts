/** Prompts at the terminal, or reads lines from a pipe. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { UsageError } from './command.js';

export interface Question {
  /** The prompt, without a colon. */
  readonly what: string;
  /** Whether to hide the input. */
  readonly secret?: boolean;
}

/**
 * Prompt on the terminal. If standard input is not a terminal, read its lines in order, without prompts.
 */
export class Prompt {
  readonly interactive = process.stdin.isTTY === true;
  #piped: string[] | undefined;

  /** One line. @throws UsageError at the end of the input, or at Ctrl-C */
  async ask(question: Question): Promise<string> {
    return this.interactive ? askTerminal(question) : this.#next(question);
  }

  async #next({ what }: Question): Promise<string> {
    this.#piped ??= (await text(process.stdin)).split(/\r?\n/);
    const line = this.#piped.shift();
    // Text after the last line end is ignored.
    if (line === undefined || (line === '' && this.#piped.length === 0)) {
      throw new UsageError(`The input ended before the ${what.toLowerCase()}.`);
    }
    return line;
  }
}

function askTerminal({ what, secret = false }: Question): Promise<string> {
  let hidden = false;
  // Readline turns the terminal's echo off and echoes through its output, which can be muted.
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!hidden) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  return new Promise((resolve, reject) => {
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      process.stderr.write('\n');
      reject(new UsageError('Interrupted; nothing was done.'));
    });
    lines.question(`${what}: `, (answer) => {
      resolve(answer);
      lines.close();
    });
    hidden = secret;
  });
}
