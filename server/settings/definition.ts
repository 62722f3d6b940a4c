/** What a setting is made of. */

/** One setting: its default, its meaning and its check. */
export interface Definition<T> {
  readonly default: T;
  readonly meaning: string;
  /** What is allowed, in words. Completes the error message `NAME: … is not allowed. Use …`. */
  readonly allowed: string;
  /** Converts a value from code, or text from the environment; undefined when it is not allowed. */
  readonly read: (value: unknown) => T | undefined;
}
