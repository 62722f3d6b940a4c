import { expect } from 'chai';
import Koa from 'koa';
import { ImproperlyConfigured } from '../../server/errors.js';
import { installProxies } from '../../server/http/proxies.js';
import { closeServers, serve } from './serve.js';

describe('trusted proxies', () => {
  afterEach(closeServers);

  async function seen(networks: readonly string[], headers: Record<string, string>): Promise<object> {
    const app = new Koa();
    installProxies(app, networks);
    app.use((ctx) => {
      ctx.body = { ip: ctx.ip, secure: ctx.secure };
    });
    const { ask } = await serve(app);
    return JSON.parse((await ask({ headers })).text) as object;
  }
  const forged = { 'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https' };

  it('changes nothing for a client that merely sends the headers', async () => {
    expect(await seen([], forged)).to.deep.equal({ ip: '127.0.0.1', secure: false });
    expect(await seen(['10.0.0.0/8'], forged)).to.deep.equal({ ip: '127.0.0.1', secure: false });
  });

  it('believes a proxy that it was told to trust', async () => {
    expect(await seen(['127.0.0.0/8'], forged)).to.deep.equal({ ip: '203.0.113.9', secure: true });
  });

  it('takes the last address that is no trusted proxy, whatever the client wrote before it', async () => {
    const chain = { 'X-Forwarded-For': '1.2.3.4, 203.0.113.9, 10.0.0.7' };
    expect(await seen(['127.0.0.1', '10.0.0.0/8'], chain)).to.deep.equal({ ip: '203.0.113.9', secure: false });
  });

  it('stays with the nearest address it knows when the chain holds no address', async () => {
    expect(await seen(['127.0.0.1'], { 'X-Forwarded-For': 'unknown' })).to.deep.equal({
      ip: '127.0.0.1',
      secure: false,
    });
  });

  describe('X-Forwarded-For with more than an address', () => {
    for (const [element, ip] of [
      ['203.0.113.9:51234', '203.0.113.9'],
      ['::ffff:203.0.113.9', '203.0.113.9'],
      ['::ffff:203.0.113.9:51234', '203.0.113.9'],
      ['[2001:db8::1]:443', '2001:db8::1'],
      ['[2001:db8::1]', '2001:db8::1'],
      ['"[2001:db8::1]:443"', '2001:db8::1'],
      ['"203.0.113.9"', '203.0.113.9'],
      ['fe80::1%eth0', 'fe80::1'],
      ['[fe80::1%25eth0]:443', 'fe80::1'],
      ['2001:db8::1:443', '2001:db8::1:443'],
      ['1.2.3.4, 203.0.113.9:1, 127.0.0.1:65535', '203.0.113.9'],
      ['1.2.3.4, [2001:db8::1]:1 , [::ffff:127.0.0.1]:9,,', '2001:db8::1'],
      ['203.0.113.9, ', '203.0.113.9'],
    ] as const) {
      it(`${element} leads to ${ip}`, async () => {
        const trusted = ['127.0.0.1'];
        expect(await seen(trusted, { 'X-Forwarded-For': element })).to.deep.equal({ ip, secure: false });
      });
    }

    for (const element of [
      'unknown',
      '_hidden',
      '203.0.113.9:',
      '203.0.113.9:123456',
      '203.0.113.999:1',
      '[203.0.113.9]:1',
      '[2001:db8::1',
      '2001:db8::1]:443',
      '[[2001:db8::1]]',
      '[]:1',
      '"',
      '""',
      '203.0.113.9:51234:1',
      'for=203.0.113.9',
      `2001:db8::1%${'z'.repeat(200)}`,
    ]) {
      it(`${element.slice(0, 30)} is no address: the proxy's own counts`, async () => {
        const chain = { 'X-Forwarded-For': `1.2.3.4, ${element}` };
        expect(await seen(['127.0.0.1'], chain)).to.deep.equal({ ip: '127.0.0.1', secure: false });
      });
    }

    it('is told once, with what to do, however many requests come', async () => {
      const told: unknown[] = [];
      const app = new Koa();
      installProxies(app, ['127.0.0.1']);
      app.on('error', (error: unknown) => told.push(error));
      app.use((ctx) => {
        ctx.body = ctx.ip;
      });
      const { ask } = await serve(app);
      for (const element of [`unknown${'x'.repeat(9000)}`, '_hidden', 'unknown']) {
        expect((await ask({ headers: { 'X-Forwarded-For': element } })).text).to.equal('127.0.0.1');
      }
      expect((await ask()).text).to.equal('127.0.0.1');
      expect(told).to.have.lengthOf(1);
      expect(told[0]).to.be.instanceOf(ImproperlyConfigured);
      const { message } = told[0] as Error;
      expect(message).to.match(
        /^The trusted proxy 127\.0\.0\.1 sent X-Forwarded-For with 'unknownx+…', which is not an address/,
      );
      expect(message.length).to.be.below(400);
    });

    it('says nothing of what strangers write before the address that counts', async () => {
      const app = new Koa();
      installProxies(app, ['127.0.0.1']);
      app.on('error', (error: Error) => {
        throw error;
      });
      app.use((ctx) => {
        ctx.body = ctx.ip;
      });
      const { ask } = await serve(app);
      expect((await ask({ headers: { 'X-Forwarded-For': 'unknown, 203.0.113.9' } })).text).to.equal('203.0.113.9');
    });

    it('ends after fifty proxies', async () => {
      const chain = { 'X-Forwarded-For': `203.0.113.9${', 127.0.0.2'.repeat(1000)}` };
      expect(await seen(['127.0.0.0/8'], chain)).to.deep.equal({ ip: '127.0.0.2', secure: false });
    });
  });

  it('lets other middleware set the address', async () => {
    const app = new Koa();
    installProxies(app, []);
    app.use((ctx) => {
      ctx.request.ip = '192.0.2.7';
      ctx.body = ctx.ip;
    });
    expect((await (await serve(app)).ask()).text).to.equal('192.0.2.7');
  });

  for (const network of ['10.0.0.0/33', 'proxy.local', '', '10.0.0.0/x', '::1/129']) {
    it(`refuses ${JSON.stringify(network)} as a network`, () => {
      expect(() => installProxies(new Koa(), [network])).to.throw(ImproperlyConfigured, 'TRUSTED_PROXIES');
    });
  }

  it('wants a list of networks', () => {
    expect(() => installProxies(new Koa(), '10.0.0.0/8' as never)).to.throw(ImproperlyConfigured, 'list');
  });
});
