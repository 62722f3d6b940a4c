/** Questions to the person at the terminal, or lines from a pipe. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { UsageError } from './command.js';

export interface Question {
  /** What is asked, without a colon. */
  readonly what: string;
  /** Not shown while it is typed. */
  readonly secret?: boolean;
}

/**
 * Ask on the terminal. Where standard input is none, its lines are the answers, in the same order, and nothing is shown.
 */
export class Prompt {
  readonly interactive = process.stdin.isTTY === true;
  #piped: string[] | undefined;

  /** One line. @throws UsageError when the input ends, or at Ctrl-C */
  async ask(question: Question): Promise<string> {
    return this.interactive ? askTerminal(question) : this.#next(question);
  }

  async #next({ what }: Question): Promise<string> {
    this.#piped ??= (await text(process.stdin)).split(/\r?\n/);
    const line = this.#piped.shift();
    // What follows the last line end is no line.
    if (line === undefined || (line === '' && this.#piped.length === 0)) {
      throw new UsageError(`The input ended before the ${what.toLowerCase()}.`);
    }
    return line;
  }
}

function askTerminal({ what, secret = false }: Question): Promise<string> {
  let hidden = false;
  // Readline turns the terminal's own echo off and echoes through its output, which can keep silent.
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
