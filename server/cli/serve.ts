/** `serve`: runs the reference server, like `npm start`. */
import { hasCode } from '../error_code.js';
import { type Command, type ExitCode, UsageError } from './command.js';

export const command: Command = {
  summary: 'Run the reference server, as npm start does.',
  details: `Only in a clone of the repository: the package does not contain the server and its pages.
SIGTERM ends it after the requests in flight; SIGHUP replaces the processes one by one.`,
  options: {
    workers: { type: 'string', value: 'N', help: 'Processes behind one port, or auto (WEB_CONCURRENCY).' },
  },
  async run({ values }) {
    const { run } = await server();
    await run(values['workers']?.toString());
    return new Promise<ExitCode>(() => {
      // It ends by a signal, with an exit code of its own.
    });
  },
};

/** Imported by its address, because the package does not contain it. */
async function server(): Promise<typeof import('../processes/run.js')> {
  const address = new URL('../processes/run.js', import.meta.url).href;
  try {
    return await import(address);
  } catch (error) {
    // Another module may be missing: its error is rethrown.
    if (!hasCode(error, 'ERR_MODULE_NOT_FOUND') || (error as { readonly url?: unknown }).url !== address) throw error;
    throw new UsageError(
      'The reference server is not part of the package. Clone its repository and run npm start there.',
    );
  }
}
