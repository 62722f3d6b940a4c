/** What may be written of an error: where it happened, and words only if they are ours. */
import { DjangoError } from '../errors.js';

export interface ErrorFields {
  readonly type: string;
  /** Of this package's errors, and of errors that say that visitors may see it. */
  readonly message?: string;
  readonly code?: string;
  readonly frames?: readonly string[];
  readonly cause?: ErrorFields;
}

/** A stack's line about a place in the code. What a message put into the stack is left out by its shape. */
const FRAME = /^\s+at (?:[^"'`]*[\s(])?[^\s"'`()]+:\d+:\d+\)?$/;
const DEEPEST = 3;

/**
 * The fields of an error for a log. Messages of drivers, parsers and of JavaScript itself can hold what they were about:
 * a row, a cookie, a password (`invalid input syntax for type integer: "…"`). So do the further properties of a driver's
 * error. None of them is taken.
 */
export function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: error === null ? 'null' : typeof error };
  try {
    return fieldsOf(error, depth);
  } catch {
    // A getter of the application's error that throws.
    return { type: 'Error' };
  }
}

function fieldsOf(error: Error, depth: number): ErrorFields {
  const { name, message, stack = '' } = error;
  const { code, expose } = error as { readonly code?: unknown; readonly expose?: unknown };
  const frames = stack
    .split('\n')
    .filter((line) => FRAME.test(line))
    .map((line) => line.trim());
  return {
    type: name,
    ...(error instanceof DjangoError || expose === true ? { message } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    frames,
    ...(error.cause === undefined || depth >= DEEPEST ? {} : { cause: errorFields(error.cause, depth + 1) }),
  };
}
