/**
 * Sessions in files that Django's engine `file` reads and writes too (django.contrib.sessions.backends.file).
 *
 * A file is `sessionidilf0v…` in SESSION_FILE_PATH: its name is SESSION_COOKIE_NAME and the key, its mode is 0600, its
 * content is what engine `db` stores in `session_data`. `expire_date` is not stored: a session expires as its
 * `_session_expiry` says, otherwise SESSION_COOKIE_AGE after the file's modification time.
 */
import { readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { open, readdir, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Clock } from '../../clock.js';
import { Deadline, inTime, tookLong } from '../../db/deadline.js';
import { Queue } from '../../db/queue.js';
import { databaseBounds } from '../../db/wait_bounds.js';
import { hasCode } from '../../error_code.js';
import { CreateError, DjangoError, ImproperlyConfigured, StoreUnavailable, UpdateError } from '../../errors.js';
import { type FileLock, lockFile, removeIfThere } from '../../file_lock.js';
import { checkedClock, checkSettings } from '../../settings/given.js';
import type { Settings } from '../../settings.js';
import { get_random_string } from '../../signing/crypto.js';
import { PayloadExpiry, type PayloadSettings } from '../payload_expiry.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

/** The settings for the names and the expiry of the files. */
export type FileSettings = PayloadSettings & Pick<Settings, 'SESSION_COOKIE_NAME' | 'SESSION_FILE_PATH'>;

/**
 * As Django's SessionStore._key_to_file: no character of a key can lead out of the folder. Django's own keys have 32
 * characters.
 */
const KEY = /^[a-z0-9]{1,128}$/;

/** The maximum number of sessions that this process changes at a time. */
const WAITING = 64;

/** Seconds that a change waits in the queue for other changes of the same session in this process. */
const WAIT = 2.5;

/** The maximum number of attempts at a change. Each retry follows a write by Django, which takes no lock. */
const TRIES = 20;

/** Seconds after which a temporary file counts as left behind by a killed process. */
const LEFT_BEHIND = 3600;

interface SessionFile {
  readonly session_data: string;
  readonly expire_date: Date;
}

/**
 * Stores sessions in files. Our processes take a lock file for each change. Django takes none. A write by Django is noticed
 * up to the moment before we rename our file over it. A save by Django overwrites ours, as it overwrites its own.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new FileStore(settings) })); // in SESSION_FILE_PATH
 * ```
 */
export class FileStore implements SessionStore {
  readonly serves = { SESSION_ENGINE: 'file' } as const;
  readonly #folder: string;
  readonly #prefix: string;
  readonly #expiry: PayloadExpiry;
  readonly #now: Clock;
  readonly #turns = new Queue(WAITING);

  /** @throws ImproperlyConfigured without settings, and when SESSION_FILE_PATH is no folder */
  constructor(settings: FileSettings, { now }: { readonly now?: Clock } = {}) {
    checkSettings('new FileStore()', settings, 'SECRET_KEY', 'SESSION_COOKIE_NAME');
    this.#folder = settings.SESSION_FILE_PATH ?? tmpdir();
    this.#prefix = settings.SESSION_COOKIE_NAME;
    this.#now = checkedClock(now);
    this.#expiry = new PayloadExpiry(settings, this.#now);
    if (statSync(this.#folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new ImproperlyConfigured(
        `SESSION_FILE_PATH: "${this.#folder}" is no folder. Make it, with mode 0700, or name another.`,
      );
    }
  }

  async load(session_key: string): Promise<string | null> {
    const file = await this.#read(session_key);
    return file !== null && file.expire_date.getTime() > this.#now() * 1000 ? file.session_data : null;
  }

  stored(session_key: string): Promise<SessionChange | null> {
    return this.#read(session_key);
  }

  async exists(session_key: string): Promise<boolean> {
    if (!KEY.test(session_key)) return false;
    return (await this.#orAbsent(() => stat(this.#path(session_key)))) !== null;
  }

  async create(record: SessionRecord): Promise<void> {
    const name = this.#path(this.#checked(record.session_key));
    try {
      // As Django does: create an empty file to reserve the name, then rename the complete file over it.
      await (await open(name, 'wx', 0o600)).close();
    } catch (error) {
      if (hasCode(error, 'EEXIST')) throw new CreateError('The session key is taken.', { cause: error });
      throw unavailable(error);
    }
    try {
      const written = await this.#writeAside(record);
      guarded(() => renameSync(written, name));
    } catch (error) {
      await unlink(name).catch(() => {});
      throw error;
    }
  }

  async replace(loaded: string, record: SessionRecord): Promise<boolean> {
    if (!KEY.test(record.session_key)) return false;
    return this.#locked(record.session_key, (lock) => this.#swap(loaded, record, lock));
  }

  async modify(session_key: string, change: (session_data: string) => Promise<SessionChange>): Promise<void> {
    await this.#withFile(session_key, async (session_data, lock) => {
      const own = new Deadline(databaseBounds().change);
      const changed = await inTime(change(session_data), own, tookLong(own));
      return this.#swap(session_data, { ...changed, session_key }, lock);
    });
  }

  async cycle(session_key: string, change: (session_data: string) => Promise<SessionRecord>): Promise<void> {
    await this.#withFile(session_key, async (session_data, lock) => {
      const record = await change(session_data);
      await this.create(record);
      let isGone = false;
      try {
        isGone = this.#unchanged(session_key, session_data, lock) && unlinkIfThere(this.#path(session_key));
      } finally {
        if (!isGone) unlinkIfThere(this.#path(record.session_key));
      }
      return isGone;
    });
  }

  async delete(session_key: string): Promise<void> {
    if (!(await this.exists(session_key))) return;
    // Under the lock: otherwise a concurrent write could recreate the file after it compared the text.
    await this.#locked(session_key, async () => unlinkIfThere(this.#path(session_key)));
  }

  /** Also removes temporary files that killed processes left behind. */
  async clear_expired(): Promise<number> {
    const now = this.#now();
    let removed = 0;
    for (const name of await this.#names()) {
      if (isOurTemporary(name, this.#prefix)) {
        const found = await this.#orAbsent(() => stat(path.join(this.#folder, name)));
        if (found !== null && found.ctimeMs < (now - LEFT_BEHIND) * 1000) unlinkIfThere(path.join(this.#folder, name));
        continue;
      }
      const session_key = name.startsWith(this.#prefix) ? name.slice(this.#prefix.length) : '';
      if (!(await this.#hasExpired(session_key, now))) continue;
      removed += await this.#locked(session_key, async () =>
        (await this.#hasExpired(session_key, now)) && unlinkIfThere(this.#path(session_key)) ? 1 : 0,
      );
    }
    return removed;
  }

  #names(): Promise<string[]> {
    return readdir(this.#folder).catch((error: unknown) => {
      throw unavailable(error);
    });
  }

  /** An empty file can expire too: a Django that was killed while it created a session leaves one. */
  async #hasExpired(session_key: string, now: number): Promise<boolean> {
    const file = await this.#readAny(session_key);
    return file !== null && file.expire_date.getTime() < now * 1000;
  }

  #path(session_key: string): string {
    return path.join(this.#folder, this.#prefix + session_key);
  }

  /** The name begins with a dot, so that Django does not take the file for a session. */
  #temporary(session_key: string, ending: string): string {
    return path.join(this.#folder, `.${this.#prefix}${session_key}.${ending}`);
  }

  #checked(session_key: string): string {
    if (KEY.test(session_key)) return session_key;
    throw new CreateError('A session that is kept in a file has a key of a-z and 0-9.');
  }

  /** Null also for an empty file: that session is just being created, and no visitor has its key yet. */
  async #read(session_key: string): Promise<SessionFile | null> {
    const file = await this.#readAny(session_key);
    return file === null || file.session_data === '' ? null : file;
  }

  async #readAny(session_key: string): Promise<SessionFile | null> {
    if (!KEY.test(session_key)) return null;
    const file = await this.#orAbsent(() => open(this.#path(session_key), 'r'));
    if (file === null) return null;
    try {
      // Both from one file handle: a rename may replace the file between two accesses by name.
      const [session_data, { mtimeMs }] = [await file.readFile('utf8'), await file.stat()];
      return { session_data, expire_date: this.#expiry.date(session_data, mtimeMs / 1000) };
    } catch (error) {
      if (hasCode(error, 'EISDIR')) return null;
      throw unavailable(error);
    } finally {
      await file.close();
    }
  }

  /** Null if the file does not exist. Throws if the folder does not exist either, such as before it is mounted. */
  async #orAbsent<T>(look: () => Promise<T>): Promise<T | null> {
    try {
      return await look();
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw unavailable(error);
      await stat(this.#folder).catch((missing: unknown) => {
        throw unavailable(missing);
      });
      return null;
    }
  }

  /** Writes a temporary file. Its modification time is set so that the session expires at `expire_date`. */
  async #writeAside({ session_key, session_data, expire_date }: SessionRecord): Promise<string> {
    const name = this.#temporary(session_key, `${get_random_string(8)}.new`);
    const now = this.#now();
    // 0 if the payload's own expiry, counted from now, is `expire_date`.
    const shift = expire_date.getTime() - this.#expiry.date(session_data, now).getTime();
    try {
      const file = await open(name, 'wx', 0o600);
      try {
        await file.writeFile(session_data);
        await file.utimes(now, now + shift / 1000);
      } finally {
        await file.close();
      }
    } catch (error) {
      await unlink(name).catch(() => {});
      throw unavailable(error);
    }
    return name;
  }

  /** Replaces the file if it still holds `loaded`. False if it was changed or deleted. */
  async #swap(loaded: string, record: SessionRecord, lock: FileLock): Promise<boolean> {
    const written = await this.#writeAside(record);
    const same = this.#unchanged(record.session_key, loaded, lock);
    guarded(() => (same ? renameSync(written, this.#path(record.session_key)) : unlinkSync(written)));
    return same;
  }

  /** Synchronous, so that nothing in this process runs between `isHeld`, the comparison and the caller's rename. */
  #unchanged(session_key: string, loaded: string, lock: FileLock): boolean {
    if (!lock.isHeld()) throw new StoreUnavailable('Another process took this session over. Try again in a moment.');
    return guarded(() => {
      try {
        return readFileSync(this.#path(session_key), 'utf8') === loaded;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return false;
        throw error;
      }
    });
  }

  /** Calls `write` with the current text until it returns true. */
  async #withFile(
    session_key: string,
    write: (session_data: string, lock: FileLock) => Promise<boolean>,
  ): Promise<void> {
    if (!KEY.test(session_key)) throw new UpdateError('The session was deleted meanwhile.');
    await this.#locked(session_key, async (lock) => {
      for (let tries = 1; tries <= TRIES; tries += 1) {
        const file = await this.#read(session_key);
        if (file === null) throw new UpdateError('The session was deleted meanwhile.');
        if (await write(file.session_data, lock)) return;
      }
      throw new StoreUnavailable('Another server keeps changing this session. Try again in a moment.');
    });
  }

  #locked<T>(session_key: string, work: (lock: FileLock) => Promise<T>): Promise<T> {
    return this.#turns.run(session_key, new Deadline(WAIT), async () => {
      const lock = await lockFile(this.#temporary(session_key, 'lock')).catch((error: unknown) => {
        throw unavailable(error);
      });
      try {
        return await work(lock);
      } finally {
        lock.release();
      }
    });
  }
}

/** `.sessionidilf0v….ab12cd34.new` and `.sessionidilf0v….lock`. */
function isOurTemporary(name: string, prefix: string): boolean {
  return name.startsWith(`.${prefix}`) && /^[a-z0-9]+\.(?:\w+\.new|lock)$/i.test(name.slice(prefix.length + 1));
}

/** @returns whether it was there */
function unlinkIfThere(name: string): boolean {
  return guarded(() => removeIfThere(name));
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw unavailable(error);
  }
}

/** Such as a full disk, a missing permission or a folder that is not mounted. The visitor gets 503. */
function unavailable(error: unknown): Error {
  if (error instanceof DjangoError) return error;
  return new StoreUnavailable('The folder of sessions cannot be used.', { cause: error });
}
