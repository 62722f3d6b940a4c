// @ts-check
/** An application in CommonJS: `require` of this package, as Node has allowed since 20.19. */
const Koa = require('koa');
const { connectKnex, defineSettings, migrate, sessions } = require('koa-django-session');
const { DatabaseStore } = require('koa-django-session/stores/db');

/** @param {string} url */
async function createApp(url) {
  const knex = connectKnex(url);
  await migrate(knex);
  const app = new Koa();
  app.use(sessions(app, { settings: defineSettings({ SECRET_KEY: 'commonjs' }), store: new DatabaseStore(knex) }));
  app.use((ctx) => {
    ctx.session['visits'] = Number(ctx.session.get('visits', 0)) + 1;
    ctx.body = `${ctx.session.get('visits')}`;
  });
  return { app, close: () => knex.destroy() };
}

module.exports = { createApp };

if (require.main === module) {
  createApp(process.env['DATABASE_URL'] ?? '').then(({ app }) => {
    const server = app.listen(0, '127.0.0.1', () => console.log(JSON.stringify(server.address())));
  });
}
