/** `npm start`: the reference server. */
import { parseArgs } from 'node:util';
import { fail } from './processes/print.js';
import { run } from './processes/run.js';

async function main(): Promise<void> {
  await run(parseArgs({ options: { workers: { type: 'string' } } }).values.workers);
}

main().catch(fail);
