/** `serve`: runs the reference server, like `npm start`. */
import { type Command, type ExitCode, UsageError } from './command.js';

export const command: Command = {
  summary: 'Run the reference server, as npm start does.',
  details: `For a clone of the repository: the package holds the library, without the server and its pages.
SIGTERM ends it in order; SIGHUP replaces the processes one by one.`,
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

/** By its address, since the package does not hold it. */
async function server(): Promise<typeof import('../processes/run.js')> {
  try {
    return await import(new URL('../processes/run.js', import.meta.url).href);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND')) throw cause;
    throw new UsageError(
      'The reference server is not part of the package. Clone its repository and run npm start there.',
    );
  }
}
