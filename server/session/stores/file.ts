/**
 * Sessions in files that Django's engine `file` reads and writes too (django.contrib.sessions.backends.file).
 *
 * `sessionidilf0v…` in SESSION_FILE_PATH: SESSION_COOKIE_NAME and the key, mode 0600, and in it the very text that
 * engine `db` has in `session_data`. There is no field for `expire_date`: a session ends as its `_session_expiry` says,
 * otherwise SESSION_COOKIE_AGE after the file was modified.
 */
import { readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { open, readdir, stat, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../../clock.js';
import { Deadline } from '../../db/deadline.js';
import { Queue } from '../../db/queue.js';
import { hasCode } from '../../error_code.js';
import { CreateError, DjangoError, ImproperlyConfigured, StoreUnavailable, UpdateError } from '../../errors.js';
import { type FileLock, lockFile, removeIfThere } from '../../file_lock.js';
import type { Settings } from '../../settings.js';
import { get_random_string } from '../../signing/crypto.js';
import { PayloadExpiry, type PayloadSettings } from '../payload_expiry.js';
import type { SessionChange, SessionRecord, SessionStore } from '../store.js';

/** The settings that name the files and bound their lives. */
export type FileSettings = PayloadSettings & Pick<Settings, 'SESSION_COOKIE_NAME' | 'SESSION_FILE_PATH'>;

/** SessionStore._key_to_file refuses other characters; none of these leads out of the folder. Django's keys have 32. */
const KEY = /^[a-z0-9]{1,128}$/;

/** Sessions that may wait for their files at once. */
const WAITING = 64;

/** Seconds that a change waits for the others of its session in this process. */
const WAIT = 2.5;

/** How often a file is read anew because a Django, which takes no lock, wrote it meanwhile. */
const TRIES = 20;

/** Seconds after which a file for writing counts as left behind. */
const LEFT_BEHIND = 3600;

interface SessionFile {
  readonly session_data: string;
  readonly expire_date: Date;
}

/**
 * Our own changes wait for each other, over processes, by a lock file. Django takes no locks: what it writes or deletes
 * is noticed until a moment before our file takes its place, and its own save overwrites ours as it does Django's.
 *
 * ```ts
 * app.use(sessions(app, { settings, store: new FileStore(settings) })); // in SESSION_FILE_PATH
 * ```
 */
export class FileStore implements SessionStore {
  readonly #folder: string;
  readonly #prefix: string;
  readonly #expiry: PayloadExpiry;
  readonly #now: Clock;
  readonly #turns = new Queue(WAITING);

  /** @throws ImproperlyConfigured when SESSION_FILE_PATH is no folder */
  constructor(settings: FileSettings, { now = systemClock }: { readonly now?: Clock } = {}) {
    this.#folder = settings.SESSION_FILE_PATH ?? tmpdir();
    this.#prefix = settings.SESSION_COOKIE_NAME;
    this.#expiry = new PayloadExpiry(settings, now);
    this.#now = now;
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
      // Django's way: an empty file takes the name, the whole one its place. Nobody has the key yet.
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
    await this.#withFile(session_key, async (session_data, lock) =>
      this.#swap(session_data, { ...(await change(session_data)), session_key }, lock),
    );
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
    // Under the lock, so that a write that has just compared the text does not bring the file back.
    await this.#locked(session_key, async () => unlinkIfThere(this.#path(session_key)));
  }

  /** Also removes what killed processes left behind of writing. */
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

  /** Also an empty file, which a Django left that was killed while it created a session. */
  async #hasExpired(session_key: string, now: number): Promise<boolean> {
    const file = await this.#readAny(session_key);
    return file !== null && file.expire_date.getTime() < now * 1000;
  }

  #path(session_key: string): string {
    return path.join(this.#folder, this.#prefix + session_key);
  }

  /** Names that begin with a dot are none of Django's sessions. */
  #temporary(session_key: string, ending: string): string {
    return path.join(this.#folder, `.${this.#prefix}${session_key}.${ending}`);
  }

  #checked(session_key: string): string {
    if (KEY.test(session_key)) return session_key;
    throw new CreateError('A session that is kept in a file has a key of a-z and 0-9.');
  }

  /** An empty file is a session that is just being created: its key is nobody's yet. */
  async #read(session_key: string): Promise<SessionFile | null> {
    const file = await this.#readAny(session_key);
    return file === null || file.session_data === '' ? null : file;
  }

  async #readAny(session_key: string): Promise<SessionFile | null> {
    if (!KEY.test(session_key)) return null;
    const file = await this.#orAbsent(() => open(this.#path(session_key), 'r'));
    if (file === null) return null;
    try {
      // One file for both: another may take its place between two looks at the name.
      const [session_data, { mtimeMs }] = [await file.readFile('utf8'), await file.stat()];
      return { session_data, expire_date: this.#expiry.date(session_data, mtimeMs / 1000) };
    } catch (error) {
      if (hasCode(error, 'EISDIR')) return null;
      throw unavailable(error);
    } finally {
      await file.close();
    }
  }

  /** Null when there is no such file. Without the folder, a file that is not there says nothing. */
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

  /** Write a file beside the session's own. Its time of modification is such that it ends at `expire_date`. */
  async #writeAside({ session_key, session_data, expire_date }: SessionRecord): Promise<string> {
    const name = this.#temporary(session_key, `${get_random_string(8)}.new`);
    const now = this.#now();
    // The present moment, unless the record ends at another than what it says: then the moment at which it would.
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

  /** Put the new file in the old one's place if that still holds `loaded`. False when it is gone or another. */
  async #swap(loaded: string, record: SessionRecord, lock: FileLock): Promise<boolean> {
    const written = await this.#writeAside(record);
    const same = this.#unchanged(record.session_key, loaded, lock);
    guarded(() => (same ? renameSync(written, this.#path(record.session_key)) : unlinkSync(written)));
    return same;
  }

  /** Synchronous as `isHeld`, which it asks first. */
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

  /** Hand the present text to `write` until it says that it was done on that very text. */
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
      throw new StoreUnavailable('Another server writes this session all the time. Try again in a moment.');
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

/** A full disk, a missing right, a folder that is not mounted: none of it is the visitor's fault. */
function unavailable(error: unknown): Error {
  if (error instanceof DjangoError) return error;
  return new StoreUnavailable('The folder of sessions cannot be used.', { cause: error });
}
