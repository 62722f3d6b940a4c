/** How long uploaded files are kept: until the answer is sent, or the client has gone away, and the handler is done. */
import type { Context } from 'koa';
import type { Uploads } from './incoming_file.js';
import { OwnState } from './own_state.js';

interface Kept {
  readonly uploads: Uploads;
  /** Whether the connection has nothing more to do with this request. */
  answered: boolean;
  /** Whether middleware runs that may still look at the files. */
  running: boolean;
}

const KEPT = new OwnState<Kept>('uploads');

/** Take charge of the files of a request. */
export function holdUploads(ctx: Context, uploads: Uploads): void {
  const { res, req } = ctx;
  const kept: Kept = { uploads, answered: false, running: false };
  KEPT.set(ctx, kept);
  const { socket } = req;
  const onAnswered = (): void => {
    res.off('close', onAnswered);
    socket.off('close', onAnswered);
    kept.answered = true;
    removeIfDone(kept);
  };
  res.on('close', onAnswered);
  // A response that waits behind another one on its connection (pipelining) hears nothing when that is closed.
  if (res.socket === null) socket.on('close', onAnswered);
  if (res.closed || socket.destroyed) onAnswered();
}

/** Run what is further in. Files that were read by now are there until it is done, though the client may have gone. */
export async function keepUntilAnswered(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  const kept = KEPT.of(ctx);
  // The outermost counts: it was there before the others, and is done after them.
  if (kept === undefined || kept.running) {
    await next();
    return;
  }
  kept.running = true;
  try {
    await next();
  } finally {
    kept.running = false;
    removeIfDone(kept);
  }
}

function removeIfDone({ uploads, answered, running }: Kept): void {
  if (answered && !running) void uploads.remove();
}
