import { expect } from 'chai';
import { connectKnex } from '../../server/db/knex.js';
import { reasonAway } from '../../server/db/sentences.js';
import { unavailable } from '../../server/db/unavailable.js';
import { freePort } from '../support/ports.js';
import { reasonOf } from '../support/reason.js';

/** What a connection to there fails with, as the server gets it. */
async function failure(url: string): Promise<unknown> {
  const knex = connectKnex(url, { connect_timeout: 30 });
  try {
    return await reasonOf(knex.raw('SELECT 1'));
  } finally {
    await knex.destroy();
  }
}

describe('why a database does not answer', () => {
  it('is told where nothing listens, also by the cause', async () => {
    const error = await failure(`postgresql://127.0.0.1:${await freePort()}/koa`);
    expect(reasonAway(error)).to.equal('nothing listens at its address');
    expect(reasonAway(unavailable(error))).to.equal('nothing listens at its address');
  });

  it('is told where its name leads nowhere', async () => {
    expect(reasonAway(await failure('postgresql://nowhere.invalid/koa'))).to.match(/^(its host's|the) name/);
  });

  it('is told of several hosts', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const hosts = `127.0.0.1:${one},127.0.0.1:${two}`;
    const error = await failure(`postgresql://${hosts}/koa?target_session_attrs=read-write`);
    expect(reasonAway(error)).to.equal('nothing listens at its address');
  });

  it('is not made up', () => {
    expect(reasonAway(new Error('Connection terminated unexpectedly'))).to.equal(undefined);
  });
});
