/** What a setting is made of. */

/** One setting: its default and how a given value is read. */
export interface Definition<T> {
  readonly default: T;
  readonly meaning: string;
  /** What is allowed, in words; the second half of the sentence that refuses a wrong value. */
  readonly allowed: string;
  /** A value as given in code or as text from the environment → the setting's value, or undefined when it is not allowed. */
  readonly read: (value: unknown) => T | undefined;
}
