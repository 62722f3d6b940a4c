/** Where uploaded files lie until their answer is sent: temporary files of this process, and what all of them take. */
import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StoreUnavailable } from '../errors.js';

/** Paths that are there now. The process removes them when it ends; what a killed one leaves ends in `.upload`. */
const paths = new Set<string>();
let taken = 0;
let cleansAtExit = false;

/**
 * Count bytes of files, on disk or in memory, before they are kept.
 * @throws StoreUnavailable (503) where the files of all requests would take more than `most`
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

/** What is held now. */
export const heldSpace = (): { readonly bytes: number; readonly files: number } => ({
  bytes: taken,
  files: paths.size,
});

/** An extension that a file may have whose name we choose. Image libraries go by it. */
const EXTENSION = /^\.[A-Za-z0-9]{1,16}$/;

/**
 * A new file that only this user may read, named by chance.
 * Rejects with StoreUnavailable (503) where the folder takes none, as with a full disk.
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

/** A file being written, then closed, then removed. */
export class TemporaryFile {
  readonly path: string;
  #handle: FileHandle | null;

  constructor(file: string, handle: FileHandle) {
    this.path = file;
    this.#handle = handle;
  }

  async write(chunk: Buffer): Promise<void> {
    try {
      await this.#handle?.appendFile(chunk);
    } catch (error) {
      throw notKept(error);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    try {
      await handle?.close();
    } catch (error) {
      throw notKept(error);
    }
  }

  /** Twice is once. Never rejects: the application may have moved the file. */
  async remove(): Promise<void> {
    await this.close().catch(() => {});
    await unlink(this.path).catch(() => {});
    paths.delete(this.path);
  }
}
