/**
 * express-session as the manuals of its stores show it: connect-pg-simple, where TOUCH=0 adds `disableTouch`, or
 * connect-redis where STORE is redis.
 */
import connectPgSimple from 'connect-pg-simple';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { MAX_AGE, PORT, pool, SECRET_KEY } from './common.mjs';

const disableTouch = process.env.TOUCH === '0';

async function store() {
  if (process.env.STORE !== 'redis') {
    return new (connectPgSimple(session))({ pool: pool(), pruneSessionInterval: false, disableTouch });
  }
  const client = createClient({ url: process.env.REDIS_URL });
  await client.connect();
  return new RedisStore({ client, disableTouch });
}

const app = express();
app.use(
  session({
    store: await store(),
    secret: SECRET_KEY,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: MAX_AGE * 1000 },
  }),
);
app.get('/none', (_request, response) => {
  response.json({ id: null, n: 0 });
});
app.get('/read', (request, response) => {
  response.json({ id: request.session.auth_user_id, n: request.session.n });
});
app.post('/write', (request, response) => {
  request.session.n += 1;
  response.json({ id: request.session.auth_user_id, n: request.session.n });
});
app.listen(PORT, '127.0.0.1');
