/** @fastify/session with a store on PostgreSQL. `rolling: false`, or it would save at every read. */
import cookie from '@fastify/cookie';
import session from '@fastify/session';
import fastify from 'fastify';
import { MAX_AGE, PORT, SECRET_KEY, SessionTable } from './common.mjs';

const table = new SessionTable();
const answer = (promise, done) =>
  promise.then(
    (value) => done(null, value),
    (error) => done(error),
  );
const app = fastify();
app.register(cookie);
app.register(session, {
  secret: SECRET_KEY,
  rolling: false,
  saveUninitialized: false,
  cookie: { secure: false, maxAge: MAX_AGE * 1000 },
  store: {
    get: (sid, done) => answer(table.get(sid), done),
    set: (sid, sess, done) => answer(table.set(sid, sess), done),
    destroy: (sid, done) => answer(table.destroy(sid), done),
  },
});
app.get('/none', async () => ({ id: null, n: 0 }));
app.get('/read', async ({ session }) => ({ id: session.auth_user_id, n: session.n }));
app.post('/write', async ({ session }) => {
  session.n += 1;
  return { id: session.auth_user_id, n: session.n };
});
await app.listen({ port: PORT, host: '127.0.0.1' });
