/** A save after the handlers that the store does not take: a 503 that says when to try again. */
import { expect } from 'chai';
import Koa from 'koa';
import { StoreUnavailable } from '../../server/errors.js';
import { exceptions } from '../../server/http/index.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { Client } from '../../server/testing/index.js';
import { settings } from '../http/serve.js';

class FailingStore extends MemoryStore {
  override async create(): Promise<void> {
    throw new StoreUnavailable('Away.');
  }
}

describe('A save that fails after the handlers', () => {
  const quiet = { logger: { warn: () => {}, error: () => {} } };

  for (const [where, outermost, inside, seconds] of [
    ['by Koa itself', undefined, undefined, '5'],
    ['with exceptions inside', undefined, exceptions({ ...quiet, retry_after: 9 }), '5'],
    ['with exceptions outermost too', exceptions({ ...quiet, retry_after: 7 }), exceptions(quiet), '7'],
  ] as const) {
    it(`is a 503 with Retry-After, ${where}`, async () => {
      const app = new Koa();
      app.silent = true;
      if (outermost !== undefined) app.use(outermost);
      app.use(sessions(app, { settings: settings(), store: new FailingStore() }));
      if (inside !== undefined) app.use(inside);
      app.use((ctx) => {
        ctx.session.set('cart', 1);
        ctx.body = 'saved';
      });
      const answer = await new Client(app).get('/', { headers: { accept: 'application/json' } });
      expect([answer.status, answer.headers['retry-after']]).to.deep.equal([503, seconds]);
      expect(answer.headers['set-cookie']).to.equal(undefined);
      if (outermost !== undefined) expect(answer.json()).to.have.property('status', 503);
    });
  }
});
