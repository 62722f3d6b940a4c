/** Visitors who are logged in and keep asking: each reads who it is and what it wrote, and writes the next number. */
import { SessionCodec } from '../../server/session/codec.js';
import { newSessionKey } from '../../server/session/key.js';
import type { SessionStore } from '../../server/session/store.js';
import { defineSettings } from '../../server/settings.js';
import { printJson } from '../../server/signing/python_json.js';
import { Planted } from '../fire/planted.js';
import { SECRET_KEY } from '../fire/processes.js';
import { Visitor } from '../fire/visitor.js';
import type { TestDatabase } from '../support/database.js';

/** What all visitors met until now. */
export interface Tally {
  /** Answers of 200, to reads and to writes. */
  read: number;
  written: number;
  /** Answers of 503. */
  unread: number;
  unwritten: number;
  /** Reads of a number older than the last whose write was answered by 200. */
  undone: number;
  /** Answers of 200 that did not know the visitor, or had a number that nobody wrote. */
  wrong: string[];
}

/** One that asks until it is told to stop. */
class Asking {
  readonly session_key = newSessionKey();
  readonly #visitor = new Visitor(this.session_key);
  /** Numbers that may be in the session: the last that was confirmed, and those that were answered by 503 since. */
  #possible = [0];
  #next = 1;

  async turn(url: string, username: string, tally: Tally): Promise<void> {
    const seen = await this.#visitor.ops(url, ['get', 'number']);
    const me = await this.#visitor.get(`${url}/api/me/`);
    if (me.status === 503) tally.unread += 1;
    else if (me.status === 200 && me.text.includes(`"${username}"`)) tally.read += 1;
    else tally.wrong.push(`${me.status} ${me.text}`);
    if (seen.status === 503) tally.unread += 1;
    else if (seen.status === 200 && seen.results.length === 1) this.#compare(Number(seen.results[0]), tally);
    else tally.wrong.push(`${seen.status} ${seen.text}`);
    await this.#write(url, tally);
  }

  #compare(number: number, tally: Tally): void {
    tally.read += 1;
    if (this.#possible.includes(number)) this.#possible = [number, ...this.#possible.filter((other) => other > number)];
    else if (number < (this.#possible[0] ?? 0)) {
      tally.undone += 1;
      this.#possible = [number];
    } else tally.wrong.push(`${number} instead of ${this.#possible.join(' or ')}`);
  }

  async #write(url: string, tally: Tally): Promise<void> {
    const number = this.#next;
    this.#next += 1;
    const answer = await this.#visitor.ops(url, ['set', 'number', number]);
    if (answer.status === 200) {
      tally.written += 1;
      this.#possible = [number];
    } else if (answer.status === 503) {
      tally.unwritten += 1;
      this.#possible.push(number);
    } else tally.wrong.push(`${answer.status} ${answer.text}`);
  }
}

export class Visitors {
  readonly tally = emptyTally();
  readonly #asking: readonly Asking[];
  readonly #username: string;
  #stopped = false;
  #turns: Promise<unknown> = Promise.resolve();

  private constructor(asking: readonly Asking[], username: string) {
    this.#asking = asking;
    this.#username = username;
  }

  /** @param store of the server that they will ask; a login and a number are put straight into it */
  static async loggedIn(count: number, database: TestDatabase, store: SessionStore): Promise<Visitors> {
    const planted = new Planted(database);
    const user = await planted.user();
    const codec = new SessionCodec(defineSettings({ SECRET_KEY }));
    const asking = Array.from({ length: count }, () => new Asking());
    const session_data = codec.encode(printJson({ ...planted.login(user), number: 0 }));
    const expire_date = new Date(Date.now() + 3_600_000);
    await Promise.all(asking.map(({ session_key }) => store.create({ session_key, session_data, expire_date })));
    return new Visitors(asking, user.get_username());
  }

  get sessionKeys(): readonly string[] {
    return this.#asking.map(({ session_key }) => session_key);
  }

  begin(url: string): void {
    const ask = async (asking: Asking): Promise<void> => {
      while (!this.#stopped) await asking.turn(url, this.#username, this.tally);
    };
    this.#turns = Promise.all(this.#asking.map(ask));
    // Told to whoever waits for `stop`.
    this.#turns.catch(() => {});
  }

  /** Resolves when each has the answers to what it asked. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#turns;
  }

  /** One turn more of each, with a tally of its own. */
  async once(url: string): Promise<Tally> {
    const tally = emptyTally();
    await Promise.all(this.#asking.map((asking) => asking.turn(url, this.#username, tally)));
    return tally;
  }
}

const emptyTally = (): Tally => ({ read: 0, written: 0, unread: 0, unwritten: 0, undone: 0, wrong: [] });
