import { expect } from 'chai';
import { make_password, UserTable } from 'koa-django-session';
import request from 'supertest';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createApp } from './app.js';

describe('supertest agents', () => {
  let database: ApplicationDatabase;
  let callback: ReturnType<ReturnType<typeof createApp>['callback']>;
  before(async () => {
    database = await applicationDatabase();
    const users = new UserTable(database.knex);
    for (const username of ['alice', 'bob']) {
      await users.create_user({ username, password: await make_password(`${username}'s password`) });
    }
    callback = createApp(database.knex).callback();
  });
  after(() => database.drop());

  type Agent = ReturnType<typeof request.agent>;

  async function logIn(agent: Agent, name: string): Promise<void> {
    const { text: token } = await agent.get('/token').expect(200);
    await agent
      .post('/login')
      .type('form')
      .send({ name, password: `${name}'s password`, csrfmiddlewaretoken: token })
      .expect(200, 'welcome')
      .expect('set-cookie', /sessionid=/);
  }

  it('keep a login each, and lose it at a logout', async () => {
    const [alice, bob] = [request.agent(callback), request.agent(callback)];
    await logIn(alice, 'alice');
    await logIn(bob, 'bob');
    await alice.get('/me').expect(200, { name: 'alice' });
    await bob.get('/me').expect(200, { name: 'bob' });

    const { text: token } = await alice.get('/token');
    await alice.post('/logout').set('X-CSRFToken', token).expect(200, 'bye');
    await alice.get('/me').expect(200, { name: null });
    await bob.get('/me').expect(200, { name: 'bob' });
  });

  it('are refused with a wrong password, and without a token', async () => {
    const agent = request.agent(callback);
    const { text: token } = await agent.get('/token');
    const fields = { name: 'alice', password: 'wrong', csrfmiddlewaretoken: token };
    await agent
      .post('/login')
      .type('form')
      .send(fields)
      .expect(400, /Wrong name or password/);
    const answer = await agent.post('/login').type('form').send({ name: 'alice', password: "alice's password" });
    expect(answer.status).to.equal(403);
    await agent.get('/me').expect(200, { name: null });
  });

  it('that are new are nobody', async () => {
    const answer = await request(callback).get('/me').expect(200, { name: null });
    expect(answer.headers['set-cookie']).to.equal(undefined);
  });
});
