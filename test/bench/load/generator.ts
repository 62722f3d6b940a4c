/** A load generator: its own process, told by messages what to ask, checks every answer while it measures. */
import { COOKIES, session_key } from '../rows.js';
import { type Answer, Connection } from './connection.js';
import { Histogram } from './histogram.js';
import type { FromGenerator, Outcome, Plan, ToGenerator } from './plan.js';

interface Item {
  readonly id: number;
  readonly write: boolean;
  readonly text: string;
}

/** mulberry32: the same requests for every contestant of a round. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function requestText(plan: Plan, id: number, write: boolean): string {
  const cookie = COOKIES[plan.cookie](id);
  const path = plan.cookie === 'none' ? '/none' : write ? '/write' : '/read';
  return [
    `${write ? 'POST' : 'GET'} ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${plan.port}`,
    ...(cookie === '' ? [] : [`Cookie: ${cookie}`]),
    ...(write ? ['Content-Length: 0'] : []),
    '\r\n',
  ].join('\r\n');
}

/** More requests than the fastest server answers, so that random keys stay random: nothing is asked in a circle. */
const MOST_A_SECOND = 40_000;

/** What gives the next request; undefined when there is none left. */
type Source = () => Item | undefined;

function prepare(plan: Plan): Source {
  return plan.each === true ? eachOnce(plan) : atRandom(plan);
}

function eachOnce(plan: Plan): Source {
  let id = 0;
  return () => {
    id += 1;
    return id > plan.sessions ? undefined : { id, write: false, text: requestText(plan, id, false) };
  };
}

/** Made before the clock starts, so that making them costs the measurement nothing. */
function atRandom(plan: Plan): Source {
  const next = random(plan.seed);
  const { step = 1 } = plan;
  const count = plan.cookie === 'none' ? 1 : Math.ceil(MOST_A_SECOND * (plan.warmup + Math.min(plan.seconds, 20)));
  const made = new Map<number, Item>();
  const items = Array.from({ length: count }, () => {
    const id = step * (1 + Math.floor((next() * plan.sessions) / step));
    const write = next() < plan.writes;
    const known = made.get(write ? -id : id);
    if (known !== undefined) return known;
    const item = { id, write, text: requestText(plan, id, write) };
    if (plan.sessions <= 20_000) made.set(write ? -id : id, item);
    return item;
  });
  let position = 0;
  return () => items[position++ % items.length];
}

const ANSWER = /^\{"id":(?:"([^"]*)"|(null)),"n":(\d+)\}$/;

async function run(plan: Plan, next: Source, tell: (message: FromGenerator) => void): Promise<Outcome> {
  const latencies = new Histogram();
  const acknowledged = new Map<number, number>();
  let wrong = 0;
  let firstWrong: string | null = null;
  let measuring = false;
  let running = true;

  const check = (item: Item, { status, body }: Answer): number => {
    const match = status === 200 ? ANSWER.exec(body) : null;
    const found = match === null ? undefined : (match[1] ?? null);
    const wanted = { id: String(item.id), key: plan.expect === 'key' ? session_key(item.id) : '', null: null };
    if (found !== wanted[plan.expect]) {
      wrong++;
      firstWrong ??= `${item.text.split('\r\n')[0]} of ${item.id}: ${status} ${body.slice(0, 200)}`;
      return -1;
    }
    return Number(match?.[3]);
  };

  const visitor = async (): Promise<void> => {
    const connection = new Connection(plan.port);
    while (running) {
      const item = next();
      if (item === undefined) break;
      const start = performance.now();
      try {
        const answer = await connection.ask(item.text);
        if (measuring) latencies.add(performance.now() - start);
        const n = check(item, answer);
        if (item.write && n >= 0) acknowledged.set(item.id, Math.max(n, acknowledged.get(item.id) ?? 0));
      } catch (error) {
        wrong++;
        firstWrong ??= String(error);
        connection.close();
        if (wrong > 1000) break;
      }
    }
    connection.close();
  };

  const visitors = Array.from({ length: plan.connections }, visitor);
  await new Promise((resolve) => setTimeout(resolve, plan.warmup * 1000));
  tell({ is: 'measuring' });
  measuring = true;
  const start = performance.now();
  const over = new Promise<void>((resolve) => {
    stop = resolve;
    setTimeout(resolve, plan.seconds * 1000);
  });
  await Promise.race([over, Promise.all(visitors)]);
  measuring = false;
  const seconds = (performance.now() - start) / 1000;
  tell({ is: 'measured' });
  running = false;
  await Promise.all(visitors);

  let checked = 0;
  let lost = 0;
  const connection = new Connection(plan.port);
  for (const [id, n] of plan.readBack ? [...acknowledged].slice(-100) : []) {
    const item = { id, write: false, text: requestText(plan, id, false) };
    const now = check(item, await connection.ask(item.text));
    checked++;
    if (now < n) lost++;
  }
  connection.close();
  const requests = latencies.total;
  return { requests, seconds, latencies: latencies.counts, wrong, firstWrong, readBack: { checked, lost } };
}

let ready: { plan: Plan; next: Source } | undefined;
let stop = (): void => {};
const tell = (message: FromGenerator): void => {
  process.send?.(message);
};
process.on('message', async (message: ToGenerator) => {
  if (message.do === 'prepare') {
    ready = { plan: message.plan, next: prepare(message.plan) };
    tell({ is: 'prepared' });
  } else if (message.do === 'stop') stop();
  else if (ready !== undefined) tell({ is: 'done', outcome: await run(ready.plan, ready.next, tell) });
});
