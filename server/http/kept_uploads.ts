/** Keeps uploaded files until the handler has returned, and the answer is sent or the client has disconnected. */
import type { Context } from 'koa';
import type { Uploads } from './incoming_file.js';
import { OwnState } from './own_state.js';

interface Kept {
  readonly uploads: Uploads;
  /** Whether the connection is done with this request. */
  answered: boolean;
  /** Whether middleware that may use the files is still running. */
  running: boolean;
}

const KEPT = new OwnState<Kept>('uploads');

/** Remove the files of a request at its end. */
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
  // A response queued behind another one on its connection (pipelining) gets no event when the connection is closed.
  if (res.socket === null) socket.on('close', onAnswered);
  if (res.closed || socket.destroyed) onAnswered();
}

/** Run `next`. Files read by then are kept until it has returned, even if the client has disconnected. */
export async function keepUntilAnswered(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  const kept = KEPT.of(ctx);
  // The outermost call decides: it begins before the others and ends after them.
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
