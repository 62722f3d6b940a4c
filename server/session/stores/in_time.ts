/**
 * What the promise gives, if it does within so many milliseconds. Otherwise rejects with `late()`, and what becomes of the
 * promise afterwards is nobody's concern, a failure neither.
 */
export async function inTime<T>(promise: Promise<T>, milliseconds: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
