/** Clients that ask on and on while servers come and go, and count what went wrong. */
import { Agent, request } from 'node:http';

export interface Tally {
  /** Answers by status. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Requests without an answer by the error's code: ECONNREFUSED, ECONNRESET … */
  readonly errors: Readonly<Record<string, number>>;
  /** Answers that said `Connection: close`, as those of a server that goes down do. */
  readonly last: number;
}

export class SteadyLoad {
  readonly #statuses: Record<number, number> = {};
  readonly #errors: Record<string, number> = {};
  #last = 0;
  #asking = true;
  readonly #clients: readonly Promise<void>[];

  /**
   * Half of the clients keep their connections, half open one for each request. None asks twice: what is refused or reset
   * is counted.
   */
  constructor(url: string, { clients = 8, pause = 2, headers = {} } = {}) {
    this.#clients = Array.from({ length: clients }, (_, index) => {
      const keepAlive = index % 2 === 0;
      const agent = new Agent({ keepAlive, maxSockets: 1 });
      return this.#askOn(url, agent, keepAlive, pause, headers).finally(() => agent.destroy());
    });
  }

  /** How many answers there were so far. */
  get answered(): number {
    return Object.values(this.#statuses).reduce((sum, count) => sum + count, 0);
  }

  get last(): number {
    return this.#last;
  }

  /** Resolves when every request that is on its way has ended. */
  async end(): Promise<Tally> {
    this.#asking = false;
    await Promise.all(this.#clients);
    return { statuses: this.#statuses, errors: this.#errors, last: this.#last };
  }

  async #askOn(url: string, agent: Agent, keepAlive: boolean, pause: number, headers: object): Promise<void> {
    while (this.#asking) {
      await new Promise<void>((resolve) => {
        const outgoing = request(url, { agent, headers: { ...headers } }, (incoming) => {
          const status = incoming.statusCode ?? 0;
          this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
          if (keepAlive && incoming.headers.connection === 'close') this.#last += 1;
          incoming.resume();
          incoming.once('close', resolve);
        });
        outgoing.once('error', (error: NodeJS.ErrnoException) => {
          const code = error.code ?? error.message;
          this.#errors[code] = (this.#errors[code] ?? 0) + 1;
          resolve();
        });
        outgoing.end();
      });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
