/** Messages in a Koa application: shown once, kept until then, also past redirects and errors. */
import { expect } from 'chai';
import Koa from 'koa';
import { MessageFailure } from '../../server/errors.js';
import { exceptions } from '../../server/http/exceptions.js';
import * as messages from '../../server/messages/index.js';
import { appWith, portless, settings } from '../http/serve.js';
import { MessageBrowser, messageCookie, messageSite } from './site.js';

const STORAGES = ['fallback', 'cookie', 'session'];

describe('messages', () => {
  for (const MESSAGE_STORAGE of STORAGES) {
    describe(`in the ${MESSAGE_STORAGE} storage`, () => {
      const open = async (): Promise<MessageBrowser> =>
        new MessageBrowser(messageSite({ settings: { MESSAGE_STORAGE } }));

      it('are shown once', async () => {
        const browser = await open();
        await browser.ask('/add/', [[25, 'Saved.', '', false]]);
        expect(await browser.texts()).to.deep.equal(['Saved.']);
        expect(await browser.texts()).to.deep.equal([]);
      });

      it('wait while pages do not show them, in the order in which they were added', async () => {
        const browser = await open();
        await browser.ask('/add/', [[20, 'one', '', false]]);
        await browser.ask('/');
        await browser.ask('/add/', [[20, 'two', '', false]]);
        expect(JSON.parse((await browser.ask('/count/')).text)).to.deep.equal({ count: 2 });
        expect(await browser.texts()).to.deep.equal(['one', 'two']);
      });

      it('leave nothing behind where none were added', async () => {
        const browser = await open();
        for (const path of ['/', '/count/', '/show/']) await browser.ask(path);
        expect(browser.cookies.size).to.equal(0);
      });

      it('that are too many for a cookie are not lost unless there is only the cookie', async () => {
        const browser = await open();
        const many = Array.from({ length: 200 }, (_, n) => `${n} ${Math.sqrt(n)} ${Math.sin(n)}`);
        await browser.ask(
          '/add/',
          many.map((text) => [20, text, '', false]),
        );
        const texts = await browser.texts();
        if (MESSAGE_STORAGE === 'cookie') {
          expect(texts.length).to.be.lessThan(200);
          expect(texts).to.deep.equal(many.slice(200 - texts.length));
        } else expect(texts).to.deep.equal(many);
        expect(await browser.texts()).to.deep.equal([]);
      });

      it('that were added while others are shown are shown at once or wait', async () => {
        const server = messageSite({
          settings: { MESSAGE_STORAGE },
          first: async (ctx, next) => {
            if (ctx.path === '/show/') messages.info(ctx, 'before');
            await next();
            if (ctx.path === '/show/') messages.info(ctx, 'after');
          },
        });
        const browser = new MessageBrowser(server);
        expect(await browser.texts()).to.deep.equal(['before']);
        expect(await browser.texts()).to.deep.equal(['after', 'before']);
      });
    });
  }

  describe('added by level', () => {
    const shown = async (values: object, add: Koa.Middleware): Promise<unknown[]> => {
      const server = messageSite({ settings: values, first: add });
      return new MessageBrowser(server).shown();
    };

    it('have the level and the tag of the name', async () => {
      const list = await shown({ MESSAGE_LEVEL: 0 }, (ctx, next) => {
        messages.debug(ctx, 'a');
        messages.info(ctx, 'b');
        messages.success(ctx, 'c', { extra_tags: 'big' });
        messages.messages.warning(ctx, 'd');
        messages.messages.error(ctx, 'e');
        return next();
      });
      expect(list).to.deep.equal([
        [10, 'a', '', false, 'debug'],
        [20, 'b', '', false, 'info'],
        [25, 'c', 'big', false, 'big success'],
        [30, 'd', '', false, 'warning'],
        [40, 'e', '', false, 'error'],
      ]);
    });

    it('are left out below MESSAGE_LEVEL, and without a text', async () => {
      const list = await shown({ MESSAGE_LEVEL: 30 }, (ctx, next) => {
        messages.success(ctx, 'too low');
        messages.error(ctx, '');
        messages.warning(ctx, 'kept');
        return next();
      });
      expect(list).to.deep.equal([[30, 'kept', '', false, 'warning']]);
    });

    it('follow the level that a request sets, and have the tags of MESSAGE_TAGS', async () => {
      const list = await shown({ MESSAGE_TAGS: { 20: 'note', 50: 'critical' } }, (ctx, next) => {
        expect(messages.set_level(ctx, 5)).to.equal(true);
        expect(messages.get_level(ctx)).to.equal(5);
        messages.debug(ctx, 'a');
        messages.set_level(ctx, null);
        expect(messages.get_level(ctx)).to.equal(20);
        messages.debug(ctx, 'b');
        messages.info(ctx, 'c');
        messages.add_message(ctx, 50, 'd');
        messages.add_message(ctx, 51, 'e');
        return next();
      });
      expect(list.map((message) => (message as unknown[]).slice(0, 2).concat((message as unknown[])[4]))).to.deep.equal(
        [
          [10, 'a', 'debug'],
          [20, 'c', 'note'],
          [50, 'd', 'critical'],
          [51, 'e', ''],
        ],
      );
    });
  });

  describe('and errors', () => {
    const failing = (status: number): Koa.Middleware =>
      async function fail(ctx, next) {
        if (ctx.path !== '/fail/') return next();
        messages.info(ctx, 'said before it failed');
        return ctx.throw(status, 'failed');
      };

    for (const [MESSAGE_STORAGE, status] of [
      ['cookie', 404],
      ['cookie', 500],
      ['session', 404],
    ] as const) {
      it(`outlive a ${status} in the ${MESSAGE_STORAGE} storage`, async () => {
        const server = messageSite({ settings: { MESSAGE_STORAGE }, first: failing(status) });
        const browser = new MessageBrowser(server);
        expect((await browser.ask('/fail/')).status).to.equal(status);
        expect(await browser.texts()).to.deep.equal(['said before it failed']);
      });
    }

    it('are an error with debug where not all could be kept', async () => {
      const long = [20, Array.from({ length: 900 }, (_, n) => Math.sin(n)).join(), '', false] as const;
      for (const [debug, status] of [
        [true, 500],
        [false, 200],
      ] as const) {
        const server = messageSite({ settings: { MESSAGE_STORAGE: 'cookie' }, debug });
        expect((await new MessageBrowser(server).ask('/add/', [long])).status).to.equal(status);
      }
    });
  });

  describe('from a cookie that is not ours', () => {
    it('are none, and the cookie is removed when the storage is the cookie alone', async () => {
      for (const cookie of ['garbage', 'a:b:c', '.eJx:1abc:xyz', 'W10:1xocE4:forged', 'x'.repeat(6000)]) {
        const browser = new MessageBrowser(messageSite({ settings: { MESSAGE_STORAGE: 'cookie' } }));
        browser.cookies.set('messages', cookie);
        const answer = await browser.ask('/show/');
        expect([answer.status, answer.text]).to.deep.equal([200, '[]']);
        expect(messageCookie(answer)).to.match(/^messages="";.* Max-Age=0;/);
      }
    });

    it('are none where the session holds what is no list of messages', async () => {
      for (const found of [
        '{',
        '{}',
        '7',
        '["a", 1, ["__json_message"], ["__json_message", 0, "x", "y"], ["__json_message", 0, NaN, "y"]]',
        5,
        null,
        [],
      ]) {
        const server = messageSite({
          settings: { MESSAGE_STORAGE: 'session' },
          first: (ctx, next) => {
            ctx.session.set('_messages', found);
            return next();
          },
        });
        expect(await new MessageBrowser(server).shown()).to.deep.equal([]);
      }
    });
  });

  describe('settings', () => {
    it("take Django's path or the short name of a storage, and tags as JSON text", () => {
      for (const [given, name] of [
        ['cookie', 'cookie.CookieStorage'],
        ['django.contrib.messages.storage.session.SessionStorage', 'session.SessionStorage'],
      ]) {
        const { MESSAGE_STORAGE } = settings({ MESSAGE_STORAGE: given });
        expect(MESSAGE_STORAGE).to.equal(`django.contrib.messages.storage.${name}`);
      }
      expect(settings({ MESSAGE_TAGS: '{"50":"critical"}' }).MESSAGE_TAGS).to.deep.equal({ 50: 'critical' });
    });

    it('refuse what is not allowed in a sentence that names it', () => {
      for (const wrong of [
        { MESSAGE_STORAGE: 'redis' },
        { MESSAGE_STORAGE: 'constructor' },
        { MESSAGE_LEVEL: 'INFO' },
        { MESSAGE_TAGS: '[' },
        { MESSAGE_TAGS: ['a'] },
        { MESSAGE_TAGS: { info: 'a' } },
        { MESSAGE_TAGS: { 20: 7 } },
      ]) {
        const [name = ''] = Object.keys(wrong);
        expect(() => settings(wrong)).to.throw(new RegExp(`^${name}: .* is not allowed\\. Use `));
      }
    });
  });

  describe('where something is not mounted', () => {
    it('cannot be added without the middleware, unless silently; there are none', async () => {
      const errors: unknown[] = [];
      const server = portless(
        appWith((ctx) => {
          messages.info(ctx, 'nobody keeps it', { fail_silently: true });
          try {
            messages.info(ctx, 'nobody keeps it');
          } catch (error) {
            errors.push(error);
          }
          ctx.body = { waiting: [...messages.get_messages(ctx)], level: messages.get_level(ctx) };
          expect(messages.set_level(ctx, 10)).to.equal(false);
        }),
      );
      expect(JSON.parse((await server.ask()).text)).to.deep.equal({ waiting: [], level: 20 });
      expect(errors[0]).to.be.instanceOf(MessageFailure).with.property('message').that.includes('messages(app');
    });

    it('say that sessions are missing', async () => {
      const app = new Koa();
      app.use(exceptions({ debug: true }));
      app.use(messages.messages(app, { settings: settings() }));
      const server = portless(app);
      const { status, text } = await server.ask();
      expect(status).to.equal(500);
      expect(text).to.include('mount sessions(app, …) before messages(app, …)');
    });

    it('need no session in the cookie storage', async () => {
      const app = new Koa();
      app.use(messages.messages(app, { settings: settings({ MESSAGE_STORAGE: 'cookie' }) }));
      app.use((ctx) => {
        messages.info(ctx, 'hello');
        ctx.body = '';
      });
      expect(messageCookie(await portless(app).ask())).to.match(/^messages=\S+; HttpOnly; Path=\/; SameSite=Lax$/);
    });
  });
});
