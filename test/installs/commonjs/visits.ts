/** Prints what a visitor sees who logs in and out. */
import { Client } from 'koa-django-session/testing';
import { createApp, settings } from './app';

async function main(): Promise<void> {
  const { app, store, register, close } = await createApp(process.env['DATABASE_URL'] ?? '');
  await register('ann', 'a good secret');
  const client = new Client(app, { settings, store });
  const seen = [await client.get('/'), await client.get('/')];
  const credentials = { username: 'ann', password: 'a good secret' };
  seen.push(await client.post('/login/', credentials, { content_type: 'application/json' }));
  seen.push(await client.get('/'), await client.get('/logout/'));
  console.log(seen.map(({ text }) => text).join(', '));
  await close();
}

void main();
