/** The temporary files of this process for uploads, and their total size. */
import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StoreUnavailable } from '../errors.js';

/** The existing files. The process removes them when it exits; files left by a killed process end in `.upload`. */
const paths = new Set<string>();
let taken = 0;
let cleansAtExit = false;

/**
 * Reserve bytes for files, on disk or in memory, before they are stored.
 * @throws StoreUnavailable (503) if the files of all requests would exceed `most`
 */
export function takeSpace(bytes: number, most: number): void {
  if (taken + bytes > most) {
    throw new StoreUnavailable(
      `The files being uploaded take ${most} bytes, the value of FILE_UPLOAD_MAX_TOTAL_BYTES. Try again later.`,
    );
  }
  taken += bytes;
}

export function giveSpace(bytes: number): void {
  taken -= bytes;
}

/** The bytes reserved now, and the number of files. */
export const heldSpace = (): { readonly bytes: number; readonly files: number } => ({
  bytes: taken,
  files: paths.size,
});

/** The extensions allowed in our file names; image libraries depend on them. */
const EXTENSION = /^\.[A-Za-z0-9]{1,16}$/;

/**
 * Create a file with a random name, readable only by this user. Rejects with StoreUnavailable (503) if that fails, as
 * with a full disk.
 */
export async function openTemporaryFile(folder: string | null, extension: string): Promise<TemporaryFile> {
  const ending = EXTENSION.test(extension) ? extension : '';
  const name = `koa-django-session-${randomBytes(16).toString('hex')}.upload${ending}`;
  const file = path.join(folder ?? tmpdir(), name);
  paths.add(file);
  if (!cleansAtExit) {
    cleansAtExit = true;
    process.on('exit', removeAll);
  }
  try {
    return new TemporaryFile(file, await open(file, 'wx', 0o600));
  } catch (error) {
    paths.delete(file);
    throw notKept(error);
  }
}

function removeAll(): void {
  for (const file of paths) {
    try {
      unlinkSync(file);
    } catch {
      // Moved or removed by the application.
    }
  }
}

const notKept = (error: unknown): StoreUnavailable =>
  new StoreUnavailable('An uploaded file could not be written. Is FILE_UPLOAD_TEMP_DIR full, or not writable?', {
    cause: error,
  });

/** Bytes that are buffered before a write, because a body may arrive in very small chunks. */
const WRITE_BYTES = 64 * 1024;

/** A file that is written, closed, and removed, in this order. It is complete only after closing. */
export class TemporaryFile {
  readonly path: string;
  #handle: FileHandle | null;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  constructor(file: string, handle: FileHandle) {
    this.path = file;
    this.#handle = handle;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      await this.#handle?.appendFile(bytes);
    } catch (error) {
      throw notKept(error);
    }
  }

  async close(): Promise<void> {
    await this.#flush();
    const handle = this.#handle;
    this.#handle = null;
    try {
      await handle?.close();
    } catch (error) {
      throw notKept(error);
    }
  }

  /** May be called twice. Never rejects: the application may have moved the file. */
  async remove(): Promise<void> {
    this.#waiting = [];
    this.#waitingBytes = 0;
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => {});
    await unlink(this.path).catch(() => {});
    paths.delete(this.path);
  }
}
