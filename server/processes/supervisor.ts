/**
 * Several processes behind one port (node:cluster): started, restarted when they end by themselves, replaced one by one,
 * and stopped. The supervisor accepts connections and serves none.
 *
 * A process is first *starting*, then *ready*, and *leaving* after it was told to stop. A process that ends
 * unexpectedly is restarted after a pause, which doubles while processes are short-lived. The first process starts
 * alone: if it cannot start (a wrong setting, a port in use), the command ends, as with a single process. A replacement
 * during its start ends it and starts another one, which reads the settings' files again.
 */
import cluster, { type Worker } from 'node:cluster';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../logger.js';
import { SummedMetrics } from '../ops/summed_metrics.js';
import type { FromWorker, ToWorker } from './messages.js';

export interface SupervisorOptions {
  readonly processes: number;
  readonly log: Logger;
  /** The embedded PostgreSQL, shared by all processes. */
  readonly embeddedUrl?: string | undefined;
  /** Seconds until a leaving process is killed. */
  readonly patience: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Seconds before a process is started again. */
const FIRST_PAUSE = 0.25;
const LONGEST_PAUSE = 30;
/** Seconds of life after which the next pause is short again. */
const LONG_LIFE = 60;
/** Seconds that the processes have to report metrics; for a late one, its previous metrics are used. */
const METRICS_TIMEOUT = 1;

interface Member {
  readonly worker: Worker;
  readonly ended: Promise<Exit>;
  /** Resolves to true when it is ready, to false if it ended before. */
  readonly ready: Promise<boolean>;
  /** When it became ready, in milliseconds of this process. */
  since?: number;
  leaving?: boolean;
  /** Its replacement, if started; it is then not restarted if it ends. */
  successor?: Member;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #members = new Set<Member>();
  readonly #metrics = new SummedMetrics();
  readonly #told = new Map<number, () => void>();
  readonly #stopping = new AbortController();
  #deaths = 0;
  #isStarted = false;
  #replacing: Promise<boolean> = Promise.resolve(true);

  constructor(options: SupervisorOptions) {
    this.#options = options;
    cluster.on('message', (worker, message: FromWorker) => {
      if (message.type === 'metrics') this.#metrics.take(worker.id, message.metrics);
      if (message.type === 'metrics') this.#told.get(worker.id)?.();
    });
  }

  /** @returns undefined when all are started, otherwise the exit of the first process */
  async start(): Promise<Exit | undefined> {
    let first = this.#fork(true);
    while (!(await first.ready)) {
      if (!first.leaving || this.#stopping.signal.aborted) return first.ended;
      first = this.#fork(true);
    }
    this.#isStarted = true;
    this.#restartWhenEnded(first);
    for (let number = 1; number < this.#options.processes && !this.#stopping.signal.aborted; number += 1) {
      this.#restartWhenEnded(this.#fork());
    }
    return undefined;
  }

  /**
   * Replace the processes one by one: each leaves when its replacement is ready. Concurrent calls run one after the
   * other.
   * @returns whether all were replaced; false if a new one did not start, or all were told to stop
   */
  replace(): Promise<boolean> {
    this.#replacing = this.#replacing.then(() => this.#replaceAll());
    return this.#replacing;
  }

  async #replaceAll(): Promise<boolean> {
    const { signal } = this.#stopping;
    for (const old of [...this.#members]) {
      if (signal.aborted) return false;
      if (old.leaving || !this.#members.has(old)) continue;
      if (!this.#isStarted) {
        await this.#end(old, false);
        continue;
      }
      const fresh = this.#fork();
      old.successor = fresh;
      if (!(await fresh.ready)) {
        if (!signal.aborted) {
          this.#options.log.error({ ...(await fresh.ended) }, 'a new process did not start; the others stay');
        }
        delete old.successor;
        return false;
      }
      this.#restartWhenEnded(fresh);
      await this.#end(old, true);
    }
    return !signal.aborted;
  }

  /** Stop all at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#members].map((member) => this.#end(member, false)));
  }

  kill(): void {
    for (const { worker } of this.#members) worker.process.kill('SIGKILL');
  }

  /** The metrics of all, for Prometheus. */
  async metrics(): Promise<string> {
    const late = new AbortController();
    const answers = [...this.#members].map(
      ({ worker }) =>
        new Promise<void>((resolve) => {
          this.#told.set(worker.id, resolve);
          say(worker, { type: 'metrics' });
        }),
    );
    await Promise.race([
      Promise.all(answers),
      pause(METRICS_TIMEOUT * 1000, undefined, { signal: late.signal }).catch(() => {}),
    ]);
    late.abort();
    return this.#metrics.text();
  }

  #fork(first = false): Member {
    const { embeddedUrl } = this.#options;
    const worker = cluster.fork();
    const ended = new Promise<Exit>((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => resolve({ code, signal }));
    });
    const ready = new Promise<boolean>((resolve) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'hello') {
          // It may have been told to stop before it listened for messages.
          if (member.leaving) say(worker, { type: 'stop', replaced: false });
          else
            say(worker, {
              type: 'start',
              first,
              ...(embeddedUrl === undefined ? {} : { embeddedUrl }),
            });
        }
        if (message.type !== 'ready' || member.leaving) return;
        member.since = performance.now();
        resolve(true);
      });
      void ended.then(() => resolve(false));
    });
    const member: Member = { worker, ended, ready };
    this.#members.add(member);
    // Ignore errors of messages to an ended process: its exit is handled elsewhere.
    worker.on('error', () => {});
    void ended.then(() => {
      this.#members.delete(member);
      this.#metrics.end(worker.id);
      this.#told.get(worker.id)?.();
      this.#told.delete(worker.id);
    });
    return member;
  }

  #restartWhenEnded(member: Member): void {
    void member.ended.then(async (exit) => {
      const { signal } = this.#stopping;
      if (member.leaving || signal.aborted) return;
      const { pid } = member.worker.process;
      if (await member.successor?.ready) {
        this.#options.log.error({ ended: pid, ...exit }, 'a process ended that was being replaced');
        return;
      }
      if (signal.aborted) return;
      const lived = member.since === undefined ? 0 : (performance.now() - member.since) / 1000;
      this.#deaths = lived > LONG_LIFE ? 0 : this.#deaths;
      const seconds = Math.min(FIRST_PAUSE * 2 ** this.#deaths, LONGEST_PAUSE);
      this.#deaths += 1;
      this.#options.log.error({ ended: pid, ...exit, pause: seconds }, 'a process ended');
      await pause(seconds * 1000, undefined, { signal }).catch(() => {});
      if (!signal.aborted) this.#restartWhenEnded(this.#fork());
    });
  }

  async #end(member: Member, replaced: boolean): Promise<void> {
    member.leaving = true;
    say(member.worker, { type: 'stop', replaced });
    const late = setTimeout(() => member.worker.process.kill('SIGKILL'), this.#options.patience * 1000);
    await member.ended;
    clearTimeout(late);
  }
}

function say(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}
