/** The parts of an error that may be logged: its place, and its message only if it is ours. */
import { DjangoError } from '../errors.js';

export interface ErrorFields {
  readonly type: string;
  /** Only of this package's errors, and of errors with `expose`. */
  readonly message?: string;
  readonly code?: string;
  readonly frames?: readonly string[];
  readonly cause?: ErrorFields;
}

/** A line of the stack with a place in the code; lines of the message have another form. */
const FRAME = /^\s+at (?:[^"'`]*[\s(])?[^\s"'`()]+:\d+:\d+\)?$/;
const DEEPEST = 3;

/**
 * The fields of an error for a log. Without messages of drivers, parsers and JavaScript itself, and without a driver error's
 * further properties: they can contain a row, a cookie or a password (`invalid input syntax for type integer: "…"`).
 */
export function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: error === null ? 'null' : typeof error };
  try {
    return fieldsOf(error, depth);
  } catch {
    // A getter of the application's error has thrown.
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
