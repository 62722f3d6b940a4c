/**
 * Finds the server that takes writes, of several hosts: libpq's target_session_attrs, which pg does not have.
 *
 * A finding holds until it is forgotten: when a connection to the host broke, when all were given up, when the last one was
 * closed. The next connection then asks the hosts anew. The one that was found last is asked first; the next one is asked
 * when that has failed, or has not answered within HEAD_START, so that a host that is gone does not use up the time.
 */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { StoreUnavailable } from '../errors.js';
import type { SessionAttributes } from './hosts.js';
import { isRefusal, READ_ONLY } from './unavailable.js';

/** Milliseconds. */
const HEAD_START = 200;

/** Milliseconds in which a finding is used though no connection has stood since. */
const UNPROVEN = 1000;

/** What pg's Client takes, for one host. */
interface HostSettings {
  readonly connectionString: string;
}

interface Finding<Settings> {
  readonly settings: Settings;
  readonly since: number;
  /** Whether a connection stood there since. */
  isProven: boolean;
}

/** It answers, and is not what is wanted. */
class NotWanted extends Error {}

const QUESTIONS: Readonly<Record<Exclude<SessionAttributes, 'any'>, string>> = {
  'read-write': "SELECT current_setting('transaction_read_only') = 'off' AS wanted",
  primary: 'SELECT NOT pg_is_in_recovery() AS wanted',
};

export class PrimaryFinder<Settings extends HostSettings> {
  readonly #hosts: Settings[];
  readonly #question: string;
  #finding: Finding<Settings> | undefined;
  #asking: Promise<Finding<Settings>> | undefined;

  /** @param hosts what pg's Client takes for each, in the order of the URL */
  constructor(hosts: readonly Settings[], wanted: Exclude<SessionAttributes, 'any'>) {
    this.#hosts = [...hosts];
    this.#question = QUESTIONS[wanted];
  }

  /**
   * For knex's `connection`: the settings of that host, with knex's way to ask whether they still hold.
   * @throws StoreUnavailable when no host is what is wanted; what a host that refuses this account or database says
   */
  readonly settings = async (): Promise<Settings & { expirationChecker: () => boolean }> => {
    const finding = this.#current() ?? (await this.#askOnce());
    return { ...finding.settings, expirationChecker: () => this.#current() !== finding };
  };

  /** A connection stands. */
  prove(): void {
    if (this.#finding !== undefined) this.#finding.isProven = true;
  }

  forget(): void {
    this.#finding = undefined;
  }

  #current(): Finding<Settings> | undefined {
    const finding = this.#finding;
    if (finding === undefined || finding.isProven) return finding;
    return performance.now() - finding.since < UNPROVEN ? finding : undefined;
  }

  #askOnce(): Promise<Finding<Settings>> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<Finding<Settings>> {
    const settings = await this.#first();
    this.#hosts.sort((one, other) => Number(other === settings) - Number(one === settings));
    this.#finding = { settings, since: performance.now(), isProven: false };
    return this.#finding;
  }

  async #first(): Promise<Settings> {
    let isFound = false;
    let turn: Promise<unknown> = Promise.resolve();
    const answers = this.#hosts.map((host) => {
      const answer = turn.then(async () => {
        if (isFound) throw new NotWanted();
        await this.#try(host);
        isFound = true;
        return host;
      });
      const late = turn.then(() => pause(HEAD_START, undefined, { ref: false }));
      turn = Promise.race([answer.catch(() => {}), late]);
      return answer;
    });
    try {
      return await Promise.any(answers);
    } catch (error) {
      throw explained((error as AggregateError).errors, error);
    }
  }

  async #try(host: Settings): Promise<void> {
    const client = new pg.Client(host);
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ wanted: boolean }>(this.#question);
      if (rows[0]?.wanted !== true) throw new NotWanted('This host is a standby, or takes no writes.');
    } finally {
      void client.end().catch(() => {});
    }
  }
}

/** A wrong password is told as that, unless another host may become the right one. */
function explained(errors: readonly unknown[], cause: unknown): unknown {
  const refusal = errors.find(isRefusal);
  const isStandbyThere = errors.some((error) => error instanceof NotWanted);
  if (refusal !== undefined && !isStandbyThere) return refusal;
  return new StoreUnavailable('No host of DATABASE_URL takes writes now. Try again in a moment.', {
    cause: isStandbyThere ? Object.assign(new Error('Only standbys answer.', { cause }), { code: READ_ONLY }) : cause,
  });
}
