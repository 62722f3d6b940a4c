/** Collects what the requests of one tick ask of the database, and sends it in a few shared statements. */

/** Something that is asked about one session. */
export interface Job {
  readonly session_key: string;
  /** About how many bytes it makes a batch larger by, where they may be many. */
  readonly bytes?: number;
  /** Tell whoever asked that there is no answer. */
  reject(error: unknown): void;
}

export interface LanesOptions {
  /** The most batches on their way at once; what comes meanwhile waits and makes the next batch. */
  readonly lanes?: number;
  /** The most jobs in one batch. */
  readonly batch_size?: number;
  /** Leave half of a crowd for the next batch, so that it is made ready while the database is busy with this one. */
  readonly halve?: boolean;
  /** Seconds after which a batch counts as slow and no longer holds up the others. */
  readonly patience?: number;
  /** The most slow batches that are let wait so. */
  readonly slow_lanes?: number;
  /** Seconds, more than `patience`, after which a batch is given up: its jobs are told that the store is unavailable. */
  readonly timeout?: number;
}

const DEFAULTS: Required<LanesOptions> = {
  lanes: 2,
  batch_size: 64,
  halve: false,
  patience: 0.05,
  slow_lanes: 2,
  timeout: 2.8,
};

/**
 * Milliseconds that a job may have waited and still be sent after a batch before it found the database away. Together
 * with the timeout it is the longest that anybody waits for an answer.
 */
const FRESH = 150;

/** As many jobs are never halved: the cost of a commit is to be shared. */
const NO_CROWD = 16;

/** What a batch leaves of the memory of a crowd: after 14 of them half. */
const CROWD_KEPT = 0.95;

/** A little more, so that nobody is left over when the crowd is remembered a little smaller than it is. */
const HALF = 0.55;

/** A batch that is larger is left at that: it would be held twice in memory, and its size would be everybody's delay. */
const MOST_BYTES = 1_048_576;

/** Jobs that are on their way together, and the sessions that they are about. */
interface Batch<Kind> {
  readonly jobs: readonly Kind[];
  readonly session_keys: ReadonlySet<string>;
}

/** A timer that is wound up again and again: making and dropping one for every batch costs as much as sending it. */
class Alarm {
  readonly #seconds: number;
  #timer: NodeJS.Timeout | undefined;
  #ring: (() => void) | undefined;

  constructor(seconds: number) {
    this.#seconds = seconds;
  }

  set(ring: () => void): void {
    this.#ring = ring;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#ring?.(), this.#seconds * 1000);
    else this.#timer.refresh();
  }

  unset(): void {
    this.#ring = undefined;
  }
}

/**
 * Jobs go out together at the end of the tick in which they came, so a lone one waits for nobody. While all lanes are
 * taken, jobs gather. No batch holds two jobs for one session, nor one for a session that another batch is busy with.
 */
export class Lanes<Kind extends Job> {
  readonly #send: (jobs: readonly Kind[]) => Promise<void>;
  readonly #timedOut: () => unknown;
  readonly #limits: Required<LanesOptions>;
  #waiting: { readonly job: Kind; readonly since: number }[] = [];
  /**
   * A set for each batch, and none for all: what is put into a Map or Set and taken out again all the time lives on in
   * the tables that it has outgrown, which V8 holds together until the next full collection. With the Map of reads that
   * join others, that cost a tenth of a read's CPU.
   */
  #underway: readonly Batch<Kind>[] = [];
  #sent = 0;
  /** How many jobs there were at once of late: those that wait and those on their way. */
  #crowd = 0;
  /** Those that no batch has taken. */
  readonly #alarms: Alarm[] = [];
  #slow = 0;
  #scheduled = false;

  /**
   * @param send answers each job, or rejects when the database is away
   * @param timedOut makes the error for jobs that were given up
   */
  constructor(send: (jobs: readonly Kind[]) => Promise<void>, timedOut: () => unknown, options: LanesOptions = {}) {
    this.#send = send;
    this.#timedOut = timedOut;
    this.#limits = { ...DEFAULTS, ...options };
  }

  add(job: Kind): void {
    this.#waiting.push({ job, since: performance.now() });
    if (this.#limits.halve) {
      const crowd = this.#underway.reduce((jobs, batch) => jobs + batch.jobs.length, this.#waiting.length);
      this.#crowd = Math.max(this.#crowd, crowd);
    }
    if (this.#scheduled || this.#sent >= this.#limits.lanes) return;
    this.#scheduled = true;
    // Not a microtask: those run between two sockets' data, and each request would go alone.
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#sent < this.#limits.lanes && this.#waiting.length > 0) {
      const batch = this.#take();
      if (batch.jobs.length === 0) return;
      this.#go(batch);
    }
  }

  /**
   * The most jobs that the next batch takes. Were all in one batch, the database would wait while this process answers
   * them and unpacks what they ask next, and this process while the database writes.
   */
  #most(): number {
    const { batch_size, halve } = this.#limits;
    if (!halve) return batch_size;
    const most = Math.min(batch_size, Math.max(NO_CROWD, Math.ceil(this.#crowd * HALF)));
    this.#crowd *= CROWD_KEPT;
    return most;
  }

  #take(): Batch<Kind> {
    const most = this.#most();
    const jobs: Kind[] = [];
    const session_keys = new Set<string>();
    let bytes = 0;
    this.#waiting = this.#waiting.filter(({ job }) => {
      if (jobs.length >= most || bytes >= MOST_BYTES || session_keys.has(job.session_key)) return true;
      if (this.#underway.some((batch) => batch.session_keys.has(job.session_key))) return true;
      bytes += job.bytes ?? 0;
      session_keys.add(job.session_key);
      jobs.push(job);
      return false;
    });
    return { jobs, session_keys };
  }

  #go(batch: Batch<Kind>): void {
    const { patience, timeout, slow_lanes } = this.#limits;
    let slow = false;
    let over = false;
    let late: NodeJS.Timeout | undefined;
    const alarm = this.#alarms.pop() ?? new Alarm(patience);
    const finish = (failure?: { readonly error: unknown }): void => {
      if (over) return;
      over = true;
      clearTimeout(late);
      alarm.unset();
      this.#alarms.push(alarm);
      if (slow) this.#slow -= 1;
      else this.#sent -= 1;
      this.#underway = this.#underway.filter((other) => other !== batch);
      if (failure !== undefined) {
        for (const job of batch.jobs) job.reject(failure.error);
        this.#rejectOlder(FRESH, failure.error);
      }
      // Also behind batches that are slow and succeed nobody waits for longer than for one that is given up.
      if (performance.now() - (this.#waiting[0]?.since ?? Number.POSITIVE_INFINITY) > timeout * 1000) {
        this.#rejectOlder(timeout * 1000, this.#timedOut());
      }
      this.#start();
    };
    alarm.set(() => {
      late = setTimeout(() => finish({ error: this.#timedOut() }), (timeout - patience) * 1000);
      if (this.#slow >= slow_lanes) return;
      slow = true;
      this.#slow += 1;
      this.#sent -= 1;
      this.#start();
    });
    this.#sent += 1;
    this.#underway = [...this.#underway, batch];
    this.#send(batch.jobs).then(
      () => finish(),
      (error: unknown) => finish({ error }),
    );
  }

  /** Tells those who have waited for more milliseconds than that: they do not wait for another failure. */
  #rejectOlder(milliseconds: number, error: unknown): void {
    const oldest = performance.now() - milliseconds;
    const late = this.#waiting.filter(({ since }) => since < oldest);
    this.#waiting = this.#waiting.filter(({ since }) => since >= oldest);
    for (const { job } of late) job.reject(error);
  }
}
