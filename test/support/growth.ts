/** How the work of some code grows with its input, told by CPU time so that a busy machine makes no difference. */

/**
 * Sizes of the inputs that are compared, as parts of the given one. Linear work takes 16 times as long, quadratic work 256
 * times; between them is room for what a busy machine does to caches and to V8's compiler.
 */
const LARGE = 4;
const SMALL = 1 / 4;
const MOST = 64;
/** Microseconds of CPU below which nothing harms anybody. */
const HARMLESS = 1500;
/** Other work of the process only adds, so the least counts, and one good round is enough. */
const ROUNDS = 12;

/** Microseconds of CPU that this process spends on `work`. */
async function cost(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/**
 * Settles when `work` takes an input of four times the size in at most 64 times the CPU time of a quarter of the size.
 * @throws Error with both costs when it does not
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

/**
 * Settles when `work` with a hostile input takes at most `times` the CPU time of the plain one, which has run before: until
 * V8 has compiled it, it is dear, too.
 * @throws Error with both costs when it does not
 */
export async function expectNoDearer(
  plain: () => Promise<unknown>,
  hostile: () => Promise<unknown>,
  times: number,
): Promise<void> {
  let [usual, dear] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1) {
    usual = Math.min(usual, await cost(plain));
    dear = Math.min(dear, await cost(hostile));
    if (dear <= times * usual) return;
  }
  throw new Error(`It takes ${dear} µs of CPU, a plain one ${usual} µs.`);
}
