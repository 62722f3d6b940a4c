/** Failures that nobody would hear of: those of promises that were given to a handler, and neither awaited nor caught. */
import type { Failure } from '../http/body_stream.js';

/** Knows whether anybody has asked for its result. `await` of a derived class calls `then`; `catch` and `finally` do so too. */
class GivenPromise<T> extends Promise<T> {
  isHeard = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: to ask for the result is what it notes
  override then<Next = T, Caught = never>(
    onfulfilled?: ((value: T) => Next | PromiseLike<Next>) | null,
    onrejected?: ((reason: unknown) => Caught | PromiseLike<Caught>) | null,
  ): Promise<Next | Caught> {
    this.isHeard = true;
    return super.then(onfulfilled, onrejected);
  }
}

export class Unheard {
  readonly #failed: { readonly promise: GivenPromise<unknown>; readonly error: unknown }[] = [];

  /** The same promise, to be given to a handler. Its failure ends no process: `first` tells of it. */
  give<T>(work: Promise<T>): Promise<T> {
    const promise = new GivenPromise<T>((resolve, reject) => {
      work.then(resolve, (error: unknown) => {
        this.#failed.push({ promise, error });
        reject(error);
      });
    });
    // Marks the rejection as handled, without asking.
    Promise.prototype.then.call(promise, undefined, () => {});
    return promise;
  }

  /** The first failure that nobody has asked for. */
  first(): Failure {
    return this.#failed.find(({ promise }) => !promise.isHeard);
  }
}
