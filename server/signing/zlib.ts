/**
 * zlib streams of whole small texts, by one engine for all of them. `zlib.inflateSync` makes an engine for every call, and
 * that costs a third of inflating 2 kB, and as much again in garbage (measured: 6 to 13 % of the CPU of a read).
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

/** What the engines write into. What does not fit goes the public way. */
const SPACE = 65_536;

/** What lies behind the streams of node:zlib since Node 11; not documented, so it is tried out before it is used. */
interface Engine {
  readonly _handle: {
    reset(): void;
    /** Reads and writes at once, then puts what is left of output and input into `_writeState`. */
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

/** @returns what the engine makes of `data`, until the next call; null where the public function has to decide */
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

/** The transform by one engine; null if this Node has no such engines, or they do not work. */
function tried(make: () => unknown, sample: Buffer, expected: Buffer): Transform | null {
  try {
    const transform = engineTransform(make() as Engine);
    if (transform(sample)?.equals(expected) && transform(sample)?.equals(expected)) return transform;
  } catch {
    // Another Node, with other insides.
  }
  return null;
}

const TEXT = Buffer.from('{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend"}');
const STREAM = deflateSync(TEXT);
const inflateByEngine = tried(createInflate, STREAM, TEXT);
const deflateByEngine = tried(createDeflate, TEXT, STREAM);

/** Whether this Node's engines are used; without them everything is the same, and slower. */
export const HAS_ENGINES = inflateByEngine !== null && deflateByEngine !== null;

/** The public functions' own buffer of 16 KiB costs as much as inflating 2 kB; where this is too small, more follow. */
const options = (expected: number): ZlibOptions => ({ chunkSize: Math.min(Math.max(expected, 512), SPACE) });

/** A zlib stream of these bytes. Good until the next call. */
export function deflate(data: Uint8Array): Buffer {
  return deflateByEngine?.(data) ?? deflateSync(data as InputType, options(data.length));
}

/**
 * The other way. Good until the next call.
 * @throws Error when it is no zlib stream or holds more than `maxBytes`
 */
export function inflate(data: Uint8Array, maxBytes: number): Buffer {
  return (
    inflateByEngine?.(data) ??
    inflateSync(data as InputType, { ...options(data.length * 4), maxOutputLength: maxBytes })
  );
}
