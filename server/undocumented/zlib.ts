/**
 * Inflates and deflates whole small texts with one zlib engine for all of them. `zlib.inflateSync` makes an engine for each
 * call, which takes 6 to 13 % of the CPU of a read of a session.
 */
import {
  constants,
  createDeflate,
  createInflate,
  deflateSync,
  type InputType,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib';

/** Bytes of the buffer that the engines write into. A longer result is made by the documented functions. */
const SPACE = 65_536;

/** The insides of node:zlib's streams since Node 11. */
interface Engine {
  readonly _handle: {
    reset(): void;
    /** Synchronous. Puts the bytes that are left of output and of input into `_writeState`. */
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void;
    onerror: () => void;
  };
  readonly _writeState: Uint32Array;
}

type Transform = (data: Uint8Array) => Buffer | null;

/** @returns a function whose result is valid until its next call; null where the documented function has to decide */
function engineTransform({ _handle, _writeState }: Engine): Transform {
  const space = Buffer.allocUnsafeSlow(SPACE);
  let failed = false;
  _handle.onerror = () => {
    failed = true;
  };
  return (data) => {
    failed = false;
    _handle.reset();
    _handle.writeSync(constants.Z_FINISH, data, 0, data.length, space, 0, SPACE);
    const [outputLeft = 0, inputLeft = 0] = _writeState;
    return failed || outputLeft === 0 || inputLeft > 0 ? null : space.subarray(0, SPACE - outputLeft);
  };
}

/** The transform by one engine; null if it fails to make `expected` of `sample`, twice. */
function tried(make: () => unknown, sample: Buffer, expected: Buffer): Transform | null {
  try {
    const transform = engineTransform(make() as Engine);
    if (transform(sample)?.equals(expected) && transform(sample)?.equals(expected)) return transform;
  } catch {
    // A Node with other insides.
  }
  return null;
}

const TEXT = Buffer.from('{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend"}');
const STREAM = deflateSync(TEXT);
const inflateByEngine = tried(createInflate, STREAM, TEXT);
const deflateByEngine = tried(createDeflate, TEXT, STREAM);

/** Whether the engines are used. Without them the results are the same, and slower. */
export const HAS_ENGINES = inflateByEngine !== null && deflateByEngine !== null;

/** zlib's default buffer of 16 KiB takes as much CPU as inflating 2 kB. Where this one is too small, zlib adds more. */
const options = (expected: number): ZlibOptions => ({ chunkSize: Math.min(Math.max(expected, 512), SPACE) });

/** These bytes as a zlib stream. The result is valid until the next call. */
export function deflate(data: Uint8Array): Buffer {
  return deflateByEngine?.(data) ?? deflateSync(data as InputType, options(data.length));
}

/**
 * The bytes of a zlib stream. The result is valid until the next call.
 * @throws Error when it is no zlib stream or holds more than `maxBytes`
 */
export function inflate(data: Uint8Array, maxBytes: number): Buffer {
  return (
    inflateByEngine?.(data) ??
    inflateSync(data as InputType, { ...options(data.length * 4), maxOutputLength: maxBytes })
  );
}
