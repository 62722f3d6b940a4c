/**
 * Logged-in visitors who keep adding to their own sessions, and the set checker: whatever an answer of 200 acknowledged
 * must be there in the end (Jepsen's set test), and nobody who logged in may be told to log in again.
 */
import { Agent } from 'node:http';
import type { Planted } from '../fire/planted.js';
import { type Answer, Visitor } from '../fire/visitor.js';

export interface Account {
  /** Answers by status, and requests without an answer by their error's code. */
  readonly answers: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  /** Acknowledged and not in the session. */
  readonly lost: readonly string[];
  /** Times at which a visitor was answered as nobody, or lost the cookie. */
  readonly loggedOut: number;
}

interface Shopper {
  readonly visitor: Visitor;
  readonly session_key: string;
  readonly acknowledged: string[];
}

export class Shoppers {
  readonly #url: string;
  readonly #planted: Planted;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 100 });
  readonly #shoppers: Shopper[] = [];
  readonly #answers: Record<string, number> = {};
  #loggedOut = 0;
  #isOpen = true;
  #served = 0;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(url: string, planted: Planted) {
    this.#url = url;
    this.#planted = planted;
  }

  /** @param planted on a connection that leads to the primary, now and in the end */
  static async enter(url: string, planted: Planted, count: number): Promise<Shoppers> {
    const shoppers = new Shoppers(url, planted);
    for (let n = 0; n < count; n++) {
      const session_key = await planted.session({}, await planted.user());
      const visitor = new Visitor(session_key, {}, shoppers.#agent);
      shoppers.#shoppers.push({ visitor, session_key, acknowledged: [] });
    }
    shoppers.#work = Promise.all(shoppers.#shoppers.map((shopper, index) => shoppers.#shop(shopper, index)));
    return shoppers;
  }

  /** Answers of 200 so far. */
  get served(): number {
    return this.#served;
  }

  async #shop(shopper: Shopper, index: number): Promise<void> {
    for (let n = 0; this.#isOpen; n++) {
      const key = `item_${index}_${n}`;
      const written = await this.#count(() => shopper.visitor.ops(this.#url, ['set', key, n]));
      if (written?.status === 200) shopper.acknowledged.push(key);
      const me = await this.#count(() => shopper.visitor.get(`${this.#url}/api/me/`));
      if (me?.status === 200 && JSON.parse(me.text).user === null) this.#loggedOut += 1;
      if (shopper.visitor.session_key !== shopper.session_key) {
        this.#loggedOut += 1;
        shopper.visitor.cookies.set('sessionid', shopper.session_key);
      }
      // A tenth of a second between two pages of a person is a busy one.
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #count(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    try {
      const answer = await ask();
      this.#answers[answer.status] = (this.#answers[answer.status] ?? 0) + 1;
      if (answer.status === 200) this.#served += 1;
      return answer;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      this.#answers[code] = (this.#answers[code] ?? 0) + 1;
      return undefined;
    }
  }

  /** Everybody leaves; what was acknowledged is looked for in the rows. */
  async leave(): Promise<Account> {
    this.#isOpen = false;
    await this.#work;
    this.#agent.destroy();
    const lost: string[] = [];
    for (const { session_key, acknowledged } of this.#shoppers) {
      const held = await this.#planted.read(session_key);
      lost.push(...acknowledged.filter((key) => held === null || !(key in held)));
    }
    const acknowledged = this.#shoppers.reduce((sum, shopper) => sum + shopper.acknowledged.length, 0);
    return { answers: this.#answers, acknowledged, lost, loggedOut: this.#loggedOut };
  }
}
