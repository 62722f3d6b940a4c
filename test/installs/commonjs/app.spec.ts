import { ValidationError } from 'koa-django-session/errors';
import { Client } from 'koa-django-session/testing';
import { createApp, settings } from './app';

describe('an application in CommonJS', () => {
  let server: Awaited<ReturnType<typeof createApp>>;
  let client: Client;

  beforeAll(async () => {
    server = await createApp(process.env['DATABASE_URL'] ?? '');
    await server.register('bob', 'a good secret');
  });
  afterAll(() => server.close());
  beforeEach(() => {
    client = new Client(server.app, { settings, store: server.store });
  });

  test('counts the visits of one visitor, through login and logout', async () => {
    expect((await client.get('/')).text).toBe(' 1');
    expect((await client.get('/')).text).toBe(' 2');
    const credentials = { username: 'bob', password: 'a good secret' };
    const answer = await client.post('/login/', credentials, { content_type: 'application/json' });
    expect(answer.text).toBe('bob 3');
    expect((await client.get('/')).text).toBe('bob 4');
    expect((await client.get('/logout/')).text).toBe(' 1');
  });

  test('refuses a wrong password', async () => {
    const credentials = { username: 'bob', password: 'a guess' };
    expect((await client.post('/login/', credentials, { content_type: 'application/json' })).status).toBe(400);
  });

  test('keeps objects, lists and large integers of a session', async () => {
    const session = await client.session();
    session.set('cart', { items: [{ id: 7 }], total: 2n ** 60n });
    session.set_expiry(new Date(Date.now() + 3_600_000));
    await session.save();
    const read = await client.session();
    expect(read.get('cart')).toEqual({ items: [{ id: 7 }], total: 2n ** 60n });
    expect(read.get_expiry_age()).toBeGreaterThan(3500);
  });

  test('refuses a password that is too short, with an error that instanceof knows', async () => {
    const refused = await server.register('eve', 'xy').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ValidationError);
  });
});
