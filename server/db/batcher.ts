/**
 * Combines the calls of one tick into one statement, to share its cost (like DataLoader).
 *
 * A call is in one of these states:
 *
 * - waiting: it is in no batch yet. It waits for the end of its tick, then for a lane: at most `lanes` batches are
 *   under way at a time. Calls that arrive meanwhile form the next batch.
 * - sent: it is in a batch that is under way.
 * - answered: with the result of its batch, or with a separate promise that the batch returned for it.
 * - given up: its deadline passed before a result, or less than `reserve` was left when it would have been sent. If it was
 *   sent, it is unknown whether it was executed.
 *
 * A batch is in one of these:
 *
 * - young: it was sent less than `patience` ago, and occupies a lane.
 * - slow: it occupies no lane, so that others can pass. At most `slowBatches` batches are slow.
 * - left: all its calls were given up; its result is ignored.
 *
 * Two modes for calls with the same key. `shared` (reads): waiting calls are merged and get one result. A call never
 * joins a batch under way, which may have read before a write that was confirmed to this visitor. Otherwise (writes):
 * those that wait are in the same batch, in their order, and no two batches under way have the same key.
 */
import { type Deadline, late } from './deadline.js';

export interface BatcherOptions {
  /** The maximum number of batches under way. */
  readonly lanes?: number;
  /** The maximum number of calls in a batch. */
  readonly batch_size?: number;
  /** See above. */
  readonly shared?: boolean;
  /** Leave half of many calls for the next batch, which is prepared while the database executes this one. */
  readonly halve?: boolean;
  /** Seconds after which a batch is slow. */
  readonly patience?: number;
  readonly slowBatches?: number;
  /** Seconds that must be left before a call's deadline when it is sent: a write must not be done after a 503. */
  readonly reserve?: number;
}

const DEFAULTS: Required<BatcherOptions> = {
  lanes: 2,
  batch_size: 256,
  shared: false,
  halve: false,
  patience: 0.05,
  slowBatches: 2,
  reserve: 0,
};

/** So many calls are never split, to share the cost of a commit. */
const NO_CROWD = 16;

/** The decay of the remembered peak per batch: half after 14 batches. */
const CROWD_KEPT = 0.95;

/** Over ½, because the remembered peak decays. */
const HALF = 0.55;

/** The size limit of a batch: it is in memory twice, and its size delays all of its calls. */
const MOST_BYTES = 1_048_576;

/** What a batch is given. */
export interface BatchCall<Input> {
  readonly key: string;
  readonly input: Input;
}

/** One result per call, in order. A promise is a later result for this call; the lane is free meanwhile. */
export type BatchAnswers<Answer> = readonly (Answer | Promise<Answer>)[];

class Call<Input, Answer> implements BatchCall<Input> {
  readonly key: string;
  readonly input: Input;
  readonly bytes: number;
  readonly deadline: Deadline;
  /** The next call that shares this one's result. */
  joined: Call<Input, Answer> | undefined;
  readonly #resolve: (answer: Answer | Promise<Answer>) => void;
  readonly #reject: (error: unknown) => void;
  #isOver = false;

  constructor(
    { key, input, bytes = 0 }: BatchCall<Input> & { readonly bytes?: number },
    deadline: Deadline,
    resolve: (answer: Answer | Promise<Answer>) => void,
    reject: (error: unknown) => void,
  ) {
    this.key = key;
    this.input = input;
    this.bytes = bytes;
    this.deadline = deadline;
    this.#resolve = resolve;
    this.#reject = reject;
    deadline.begin();
  }

  answer(answer: Answer | Promise<Answer>): void {
    if (this.#end()) this.#resolve(answer);
    // No caller is left to handle its error.
    else if (answer instanceof Promise) answer.catch(() => {});
  }

  fail(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  /** Gives the call up when its deadline has come, but for `reserve` milliseconds. @returns whether its caller still waits */
  isWanted(now: number, reserve = 0): boolean {
    if (!this.#isOver && this.deadline.left(now) <= reserve) this.fail(late());
    return !this.#isOver;
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.deadline.end();
    return true;
  }
}

/** Visits each call and all calls that share its result. */
function each<Input, Answer>(calls: readonly Call<Input, Answer>[], visit: (call: Call<Input, Answer>) => void): void {
  for (const first of calls) {
    for (let call: Call<Input, Answer> | undefined = first; call !== undefined; call = call.joined) visit(call);
  }
}

interface Batch<Input, Answer> {
  readonly calls: readonly Call<Input, Answer>[];
  readonly keys: { has(key: string): boolean };
  readonly since: number;
}

export class Batcher<Input, Answer> {
  readonly #send: (calls: readonly BatchCall<Input>[]) => Promise<BatchAnswers<Answer>>;
  readonly #limits: Required<BatcherOptions>;
  #waiting: Call<Input, Answer>[] = [];
  /**
   * A Map of keys for each batch, and none for all: a churning Map keeps its old hash tables alive until a full GC, and
   * what they lead to (DECISIONS.md, decision 15).
   */
  #underway: readonly Batch<Input, Answer>[] = [];
  /** The peak number of concurrent calls, waiting and under way. */
  #crowd = 0;
  #isScheduled = false;
  #isWatching = false;
  /** Reused, because creating and clearing a timer per batch costs as much as sending it. */
  #timer: NodeJS.Timeout | undefined;

  /** @param send runs one statement; its error rejects all calls of the batch, and no others */
  constructor(
    send: (calls: readonly BatchCall<Input>[]) => Promise<BatchAnswers<Answer>>,
    options: BatcherOptions = {},
  ) {
    this.#send = send;
    this.#limits = { ...DEFAULTS, ...options };
  }

  /**
   * @param call `bytes` is about how much larger it makes a batch, where that may be much
   * @throws StoreUnavailable at the deadline
   */
  call(call: BatchCall<Input> & { readonly bytes?: number }, deadline: Deadline): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Call(call, deadline, resolve, reject));
      if (this.#limits.halve) {
        const crowd = this.#underway.reduce((calls, batch) => calls + batch.calls.length, this.#waiting.length);
        this.#crowd = Math.max(this.#crowd, crowd);
      }
      this.#watch();
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#underway.length >= this.#limits.lanes) return;
    this.#isScheduled = true;
    // Not a microtask: those run between the data of two sockets, and each request would be its own batch.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#waiting.length > 0 && this.#hasLane()) {
      const batch = this.#take();
      if (batch.calls.length === 0) return;
      void this.#run(batch);
    }
  }

  #hasLane(): boolean {
    const { lanes, slowBatches, patience } = this.#limits;
    const { length } = this.#underway;
    if (length < lanes) return true;
    if (length >= lanes + slowBatches) return false;
    const slow = performance.now() - patience * 1000;
    return this.#underway.filter(({ since }) => since > slow).length < lanes;
  }

  /**
   * The maximum number of calls in the next batch. With all in one batch, the database would be idle while this process
   * handles the results and the next requests, and this process while the database writes.
   */
  #most(): number {
    const { batch_size, halve } = this.#limits;
    if (!halve) return batch_size;
    const most = Math.min(batch_size, Math.max(NO_CROWD, Math.ceil(this.#crowd * HALF)));
    this.#crowd *= CROWD_KEPT;
    return most;
  }

  #take(): Batch<Input, Answer> {
    const { shared, reserve } = this.#limits;
    const most = this.#most();
    const now = performance.now();
    const calls: Call<Input, Answer>[] = [];
    const keys = new Map<string, Call<Input, Answer>>();
    let bytes = 0;
    this.#waiting = this.#waiting.filter((call) => {
      if (!call.isWanted(now, reserve * 1000)) return false;
      const same = keys.get(call.key);
      if (same !== undefined && shared) {
        call.joined = same.joined;
        same.joined = call;
        return false;
      }
      if (calls.length >= most || bytes >= MOST_BYTES) return true;
      if (!shared && this.#underway.some((batch) => batch.keys.has(call.key))) return true;
      bytes += call.bytes;
      if (same === undefined) keys.set(call.key, call);
      calls.push(call);
      return false;
    });
    return { calls, keys, since: now };
  }

  async #run(batch: Batch<Input, Answer>): Promise<void> {
    const { calls } = batch;
    this.#underway = [...this.#underway, batch];
    try {
      const answers = await this.#send(calls);
      for (const [index, call] of calls.entries()) {
        const answer = answers[index] as Answer | Promise<Answer>;
        for (let each: Call<Input, Answer> | undefined = call; each !== undefined; each = each.joined) {
          each.answer(answer);
        }
      }
    } catch (error) {
      each(calls, (call) => call.fail(error));
    }
    this.#underway = this.#underway.filter((other) => other !== batch);
    this.#start();
  }

  /** Checks for slow batches and deadlines while there are calls. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    // After the sockets were read (setImmediate): where this process was busy, answers may be there.
    const look = (): void => void setImmediate(() => this.#look());
    if (this.#timer === undefined) this.#timer = setTimeout(look, this.#limits.patience * 500);
    else this.#timer.refresh();
  }

  #look(): void {
    this.#isWatching = false;
    const now = performance.now();
    this.#waiting = this.#waiting.filter((call) => call.isWanted(now));
    this.#underway = this.#underway.filter(({ calls }) => {
      let isWanted = false;
      each(calls, (call) => {
        isWanted = call.isWanted(now) || isWanted;
      });
      return isWanted;
    });
    this.#start();
    if (this.#waiting.length > 0 || this.#underway.length > 0) this.#watch();
  }
}
