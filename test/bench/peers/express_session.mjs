/** express-session with connect-pg-simple, as their manuals show it; TOUCH=0 adds `disableTouch`. */
import connectPgSimple from 'connect-pg-simple';
import express from 'express';
import session from 'express-session';
import { MAX_AGE, PORT, pool, SECRET_KEY } from './common.mjs';

const Store = connectPgSimple(session);
const app = express();
app.use(
  session({
    store: new Store({ pool: pool(), pruneSessionInterval: false, disableTouch: process.env.TOUCH === '0' }),
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
