/** A lock between processes, for a file that several of them change: another file, which only one of them can make. */
import { readFileSync, unlinkSync } from 'node:fs';
import { open, readFile, stat, utimes } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from './clock.js';
import { hasCode } from './error_code.js';
import { StoreUnavailable } from './errors.js';
import { get_random_string } from './signing/crypto.js';

/** Milliseconds to wait for the lock. Then the answer is 503, within the three seconds in which a page answers. */
const PATIENCE = 1500;

/** Seconds without a sign of life after which a lock counts as left behind by a process that was killed. */
export const STALE = 3;

/** Milliseconds between two signs of life. */
const HEARTBEAT = 500;

export interface FileLock {
  /**
   * Whether it is still ours: a process that was stopped for longer than STALE finds it taken over. Synchronous, so
   * that nothing of this process comes between the answer and what is done on it.
   */
  isHeld(): boolean;
  release(): void;
}

/**
 * Make the lock file, waiting while another process has it. Processes on several machines that share a folder need
 * clocks that agree to a second.
 *
 * @throws StoreUnavailable when it was not to be had in time
 */
export async function lockFile(path: string): Promise<FileLock> {
  const token = get_random_string(16);
  const deadline = performance.now() + PATIENCE;
  while (!(await make(path, token))) {
    if (await isStale(path)) {
      // Two that come here at once may each take the lock from the other; both then look whether it is theirs.
      removeIfThere(path);
    } else if (performance.now() > deadline) {
      throw new StoreUnavailable('Another process holds this session. Try again in a moment.');
    } else {
      await pause(1 + Math.random() * 10);
    }
  }
  const heart = setInterval(() => {
    const now = systemClock();
    // isHeld detects a lock that another process has taken over.
    utimes(path, now, now).catch(() => {});
  }, HEARTBEAT);
  heart.unref();
  const isHeld = (): boolean => {
    try {
      return readFileSync(path, 'latin1') === token;
    } catch {
      return false;
    }
  };
  return {
    isHeld,
    release: () => {
      clearInterval(heart);
      if (!isHeld()) return;
      try {
        removeIfThere(path);
      } catch {
        // It cannot be removed, so it will be taken over when it is stale.
      }
    },
  };
}

async function make(path: string, token: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(token);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [token, { mtimeMs }] = [await readFile(path, 'latin1'), await stat(path)];
    if (systemClock() * 1000 - mtimeMs <= STALE * 1000) return false;
    // Read again at the last moment: its owner may have gone and another have come.
    return readFileSync(path, 'latin1') === token;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** @returns whether it was there */
export function removeIfThere(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
