/** The whole server in this process, as `serve` starts it, and bytes sent to it as they are. */
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { serverSettings } from '../../config/settings.js';
import { createLog } from '../../server/ops/log.js';
import { type RunningServer, serve } from '../../server/serve.js';
import { type Environment, SECRET_KEY } from '../fire/processes.js';

export interface TestServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  readonly metricsUrl: string | null;
  /** The lines that it logged. */
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

/** Started and, unless `ready` is false, ready. What it logs is kept, from the level `warn` on unless the environment says otherwise. */
export async function startServer(environment: Environment, { ready = true } = {}): Promise<TestServer> {
  const settings = serverSettings(() => SECRET_KEY, {
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'warn',
    DATABASE_TIMEOUT: '5',
    SECRET_KEY,
    ...environment,
  });
  const lines: string[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString('utf8'));
      done();
    },
  });
  const server: RunningServer = await serve(settings, { log: createLog({ level: settings.LOG_LEVEL, destination }) });
  try {
    if (ready) await server.ready;
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url: server.url.replace(/\/$/, ''), metricsUrl: server.metricsUrl, lines, stop: () => server.stop() };
}

/** What comes back for these bytes until the server closes, or until `enough` says that no more is to come. */
export function raw(url: string, bytes: string | Buffer, enough?: (text: string) => boolean): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (enough?.(text) === true) end();
    });
    // A connection that the server resets has said what it had to say.
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes);
  });
}

/** The status line and headers of an answer. */
export interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

export function headOf(text: string): Head {
  const [first = '', ...lines] = (text.split('\r\n\r\n', 1)[0] ?? '').split('\r\n');
  const pairs = lines.map(
    (line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const,
  );
  return { status: Number(first.split(' ')[1] ?? 0), headers: new Map(pairs) };
}
