/** A process that runs an embedded PostgreSQL and says what happens, a JSON text a line; SIGINT and SIGTERM stop it. */
import pg from 'pg';
import { startEmbeddedPostgres } from '../../server/embedded_database/index.js';

const [folder = '', throwaway] = process.argv.slice(2);
const say = (message: object): void => console.log(JSON.stringify(message));

async function main(): Promise<void> {
  const postgres = await startEmbeddedPostgres({
    folder,
    throwaway: throwaway === 'throwaway',
    log: (line) => say({ log: line }),
  });
  const life = setInterval(() => {}, 60_000);
  const stop = async (signal: string): Promise<void> => {
    // What a server does while it drains: the database has to answer still.
    const client = new pg.Client(postgres.url);
    await client.connect();
    const answer = await client.query<{ one: number }>('SELECT 1 AS one');
    await client.end();
    say({ signal, answer: answer.rows[0]?.one });
    await postgres.stop();
    clearInterval(life);
  };
  process.once('SIGINT', (signal) => void stop(signal));
  process.once('SIGTERM', (signal) => void stop(signal));
  say({ url: postgres.url });
}

main().catch((error: unknown) => {
  say({ error: error instanceof Error ? error.message : String(error), name: error instanceof Error && error.name });
  process.exitCode = 1;
});
