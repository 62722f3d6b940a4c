/** Tests that work grows no faster than its input. Measured in CPU time, so that other processes do not matter. */

/**
 * The two input sizes, as factors of the given one. Linear work takes 16 times as long for the larger, quadratic work 256
 * times. The limit is between them, because on a busy machine caches and V8's compiler are slower.
 */
const LARGE = 4;
const SMALL = 1 / 4;
const MOST = 64;
/** Less CPU time than this always passes. Microseconds. */
const HARMLESS = 1500;
/** The minimum of all rounds counts, because other work of this process only adds time. One good round is enough. */
const ROUNDS = 12;
/** The same for two works side by side: it ends at once when the first is cheap enough, and on a busy machine that comes late. */
const PATIENCE = 60;

/** The CPU time of `work`, in microseconds. */
async function cost(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * Resolves if `work` on four times `size` takes at most 64 times the CPU time of `work` on a quarter of `size`.
 * @throws Error with both times otherwise
 */
export async function expectLinear<Input>(
  make: (size: number) => Input,
  work: (input: Input) => unknown,
  size = 16_384,
): Promise<void> {
  const many = make(LARGE * size);
  let large = await cost(() => work(many));
  if (large <= HARMLESS) return;
  const one = make(Math.ceil(SMALL * size));
  let small = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    small = Math.min(small, await cost(() => work(one)));
    if (large <= Math.max(HARMLESS, MOST * small)) return;
    large = Math.min(large, await cost(() => work(many)));
  }
  throw new Error(`Of size ${SMALL * size} it takes ${small} µs of CPU, of size ${LARGE * size} it takes ${large} µs.`);
}

/** The least CPU time, in microseconds, of a few runs of `work`. */
export async function leastCost(work: () => Promise<unknown>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) least = Math.min(least, await cost(work));
  return least;
}

/**
 * Resolves if `hostile` takes at most `times` the CPU time of `plain`. Run `plain` before, so that V8 has compiled it.
 * With `least`, which is `leastCost(plain)`, `plain` runs again only if `hostile` takes more than that allows.
 * @throws Error with both times otherwise
 */
export async function expectNoDearer(
  plain: () => Promise<unknown>,
  hostile: () => Promise<unknown>,
  times: number,
  least?: number,
): Promise<void> {
  let dear = Number.POSITIVE_INFINITY;
  if (least !== undefined) {
    dear = await cost(hostile);
    if (dear <= times * least) return;
  }
  let usual = Number.POSITIVE_INFINITY;
  for (let round = 0; round < PATIENCE; round += 1) {
    usual = Math.min(usual, await cost(plain));
    dear = Math.min(dear, await cost(hostile));
    if (dear <= times * usual) return;
  }
  throw new Error(`It takes ${dear} µs of CPU, a plain one ${usual} µs.`);
}
