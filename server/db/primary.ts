/**
 * Finds the one of several hosts that takes writes: libpq's target_session_attrs, which pg does not support.
 *
 * A finding is the host that was found last. It is forgotten when a connection to the host breaks, when all connections are
 * replaced, and when the last one is closed. The next connection then asks the hosts again, starting with the last finding.
 * The next host is asked when the one before has failed or has not answered within HEAD_START, so that a host that is gone
 * does not use up the timeout.
 */
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { StoreUnavailable } from '../errors.js';
import type { SessionAttributes } from './hosts.js';
import { isRefusal, READ_ONLY } from './unavailable.js';

/** Milliseconds until the next host is asked too. */
const HEAD_START = 200;

/** Milliseconds that a finding is used before the pool has made a connection to it. */
const UNPROVEN = 1000;

/** The settings of pg's Client for one host. */
interface HostSettings {
  readonly connectionString: string;
}

interface Finding<Settings> {
  readonly settings: Settings;
  readonly since: number;
  /** Whether the pool has made a connection to it since. */
  isProven: boolean;
}

/** The host answers, but is not in the wanted state. */
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

  /** @param hosts the settings of pg's Client for each host, in the order of the URL */
  constructor(hosts: readonly Settings[], wanted: Exclude<SessionAttributes, 'any'>) {
    this.#hosts = [...hosts];
    this.#question = QUESTIONS[wanted];
  }

  /**
   * For knex's option `connection`: the settings of the found host. knex calls `expirationChecker` before each new
   * connection, and asks for new settings when it returns true.
   * @throws StoreUnavailable when no host is in the wanted state; the host's own error when it refuses the account or the
   *   database
   */
  readonly settings = async (): Promise<Settings & { expirationChecker: () => boolean }> => {
    const finding = this.#current() ?? (await this.#askOnce());
    return { ...finding.settings, expirationChecker: () => this.#current() !== finding };
  };

  /** The pool has made a connection to the finding. */
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

/** The error when no host was found: a refused password, unless a standby answered, which may be promoted soon. */
function explained(errors: readonly unknown[], cause: unknown): unknown {
  const refusal = errors.find(isRefusal);
  const isStandbyThere = errors.some((error) => error instanceof NotWanted);
  if (refusal !== undefined && !isStandbyThere) return refusal;
  return new StoreUnavailable('No host of DATABASE_URL takes writes now. Try again in a moment.', {
    cause: isStandbyThere ? Object.assign(new Error('Only standbys answer.', { cause }), { code: READ_ONLY }) : cause,
  });
}
