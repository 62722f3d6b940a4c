/**
 * Logged-in visitors who keep adding to their own sessions, and the set checker: whatever an answer of 200 acknowledged
 * must be there in the end (Jepsen's set test), and nobody who logged in may be told to log in again.
 */
import { Agent } from 'node:http';
import { expect } from 'chai';
import type { Knex } from 'knex';
import { Planted } from '../fire/planted.js';
import type { ServerProcess } from '../fire/processes.js';
import { until } from '../fire/until.js';
import { type Answer, Visitor } from '../fire/visitor.js';

const VISITORS = 20;

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

class Shoppers {
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

/**
 * People shop while it happens, and go on until they are served again.
 * @param knex leads to the primary, now and in the end
 */
export async function shopDuring(server: ServerProcess, knex: Knex, happens: () => Promise<void>): Promise<Account> {
  const shoppers = await Shoppers.enter(server.url, new Planted({ knex }), VISITORS);
  const more = (count: number): Promise<unknown> => {
    const wanted = shoppers.served + count;
    return until(() => (shoppers.served >= wanted ? true : undefined), {
      seconds: 60,
      what: () => `people to be served:\n${server.log.slice(-3000)}`,
    });
  };
  try {
    await more(5 * VISITORS);
    await happens();
    await more(10 * VISITORS);
  } catch (error) {
    await shoppers.leave().catch(() => undefined);
    throw error;
  }
  return shoppers.leave();
}

export function expectNothingLost({ answers, acknowledged, lost, loggedOut }: Account): void {
  expect({ lost, loggedOut }).to.deep.equal({ lost: [], loggedOut: 0 });
  expect(Object.keys(answers)).to.have.members(answers[503] === undefined ? ['200'] : ['200', '503']);
  expect(acknowledged).to.be.at.least(5 * VISITORS);
}
