/** `npm start`: settings, database, migrations, application, until a signal says stop. */
import { ownSettings, serverSettings } from '../config/settings.js';
import { createLog } from './ops/log.js';
import { developmentKey, serve } from './serve.js';
import { isDefaultUserModel } from './settings.js';
import { DEMO_USERS } from './site/demo_users.js';

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** A sentence for what went wrong; the stack helps nobody who set a port that is in use. */
function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function main(): Promise<void> {
  const settings = serverSettings(() => developmentKey(ownSettings()));
  const log = createLog({ level: settings.LOG_LEVEL });
  let stop = async (): Promise<void> => {};
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) process.exit(1);
    log.info({ signal }, 'stopping');
    stop().then(() => process.exit(0), fail);
  };
  const running = serve(settings, { log, print });
  stop = async () => (await running).stop();
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  const server = await running;
  print(`Listening on ${server.url}`);
  void server.crashed.then(async (how) => {
    log.error({ how }, 'the embedded PostgreSQL ended');
    await server.stop();
    fail(new Error('The embedded PostgreSQL ended by itself. Start again; the data is kept.'));
  });
  try {
    await server.ready;
  } catch (error) {
    if (signals > 0) return;
    await server.stop();
    throw error;
  }
  if (!settings.production) {
    if (settings.DATABASE_URL === null && isDefaultUserModel(settings.django)) {
      const [first, second] = DEMO_USERS;
      print(
        `Log in at ${server.url}login/ as ${first.username} (${first.password}) or ${second.username} (${second.password}).`,
      );
    } else {
      print('Log in as a user of this database; npm run createuser makes one.');
    }
    print(
      'This is development. For production set NODE_ENV=production, SECRET_KEY, DATABASE_URL, ALLOWED_HOSTS, SESSION_COOKIE_SECURE=true and CSRF_COOKIE_SECURE=true.',
    );
  }
}

main().catch(fail);
