/** One measurement: the generators ask, the processes' CPU clocks are read at both ends. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Histogram } from './load/histogram.js';
import type { FromGenerator, Outcome, Plan, ToGenerator } from './load/plan.js';
import { cpuSeconds, pin } from './processes.js';

export interface Sample {
  readonly rps: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** CPU microseconds a request, `postgres_us` those of the database, or of Redis; null where it cannot be told. */
  readonly server_us: number | null;
  readonly postgres_us: number | null;
  readonly wrong: number;
  readonly lost: number;
  /** What the one of ours that it is held against gave just before and just after, on average. */
  readonly ours?: {
    readonly name: string;
    readonly rps: number;
    readonly p99: number;
    readonly server_us: number | null;
  };
}

/** Generator processes, started once and told what to do again and again. */
export class Generators {
  readonly #children: readonly ChildProcess[];

  constructor(count: number) {
    const file = fileURLToPath(new URL('load/generator.ts', import.meta.url));
    this.#children = Array.from({ length: count }, () => fork(file, { execArgv: ['--import', 'tsx'] }));
  }

  pin(cores: readonly number[]): void {
    for (const { pid } of this.#children) if (pid !== undefined) pin(pid, cores);
  }

  async run(plan: Plan, measuring: () => void, measured: () => void): Promise<Outcome> {
    // One connection cannot be shared out; one generator alone then.
    const children = this.#children.slice(0, Math.min(this.#children.length, plan.connections));
    const connections = Math.ceil(plan.connections / children.length);
    await Promise.all(
      children.map((child, n) => {
        const own = { ...plan, connections, seed: plan.seed * 64 + n };
        return exchange(child, { do: 'prepare', plan: own }, 'prepared');
      }),
    );
    const started = Promise.all(children.map((child) => heard(child, 'measuring'))).then(measuring);
    const ended = Promise.all(children.map((child) => heard(child, 'measured'))).then(measured);
    const outcomes = await Promise.all(
      children.map(async (child) => {
        const done = await exchange(child, { do: 'go' }, 'done');
        if (done.is !== 'done') throw new Error('unreachable');
        return done.outcome;
      }),
    );
    await Promise.all([started, ended]);
    return outcomes.reduce(added);
  }

  /** End the measurement that runs before its time is over. */
  end(): void {
    for (const child of this.#children) child.send({ do: 'stop' } satisfies ToGenerator);
  }

  stop(): void {
    for (const child of this.#children) child.kill();
  }
}

function heard(child: ChildProcess, is: FromGenerator['is']): Promise<FromGenerator> {
  return new Promise((resolve, reject) => {
    const exit = (code: number | null): void => reject(new Error(`a load generator ended with ${code}`));
    const listen = (message: FromGenerator): void => {
      if (message.is !== is) return;
      child.off('message', listen);
      child.off('exit', exit);
      resolve(message);
    };
    child.on('message', listen);
    child.on('exit', exit);
  });
}

function exchange(child: ChildProcess, message: ToGenerator, answer: FromGenerator['is']): Promise<FromGenerator> {
  const reply = heard(child, answer);
  child.send(message);
  return reply;
}

function added(left: Outcome, right: Outcome): Outcome {
  const latencies = new Histogram(left.latencies);
  latencies.merge(new Histogram(right.latencies));
  return {
    requests: left.requests + right.requests,
    seconds: Math.max(left.seconds, right.seconds),
    latencies: latencies.counts,
    wrong: left.wrong + right.wrong,
    firstWrong: left.firstWrong ?? right.firstWrong,
    readBack: {
      checked: left.readBack.checked + right.readBack.checked,
      lost: left.readBack.lost + right.readBack.lost,
    },
  };
}

/**
 * @param whileMeasuring called when the warming up is over
 * @throws Error at the first wrong answer: a fast wrong server is not a result
 */
export async function measure(
  generators: Generators,
  plan: Plan,
  pids: { readonly server: number; readonly database: readonly (number | undefined)[] },
  whileMeasuring: () => void = () => {},
): Promise<Sample> {
  const cpu = (): readonly [number, number] => [
    cpuSeconds(pids.server),
    pids.database.map(cpuSeconds).reduce((sum, seconds) => sum + seconds, 0),
  ];
  let before = cpu();
  let after = before;
  const outcome = await generators.run(
    plan,
    () => {
      before = cpu();
      whileMeasuring();
    },
    () => {
      after = cpu();
    },
  );
  if (outcome.wrong > 0) throw new Error(`${outcome.wrong} wrong answers, the first: ${outcome.firstWrong}`);
  const latencies = new Histogram(outcome.latencies);
  const each = (from: number, to: number): number | null => {
    const microseconds = ((to - from) * 1e6) / outcome.requests;
    return Number.isFinite(microseconds) ? microseconds : null;
  };
  return {
    rps: outcome.requests / outcome.seconds,
    p50: latencies.quantile(0.5),
    p99: latencies.quantile(0.99),
    server_us: each(before[0], after[0]),
    postgres_us: each(before[1], after[1]),
    wrong: outcome.wrong,
    lost: outcome.readBack.lost,
  };
}
