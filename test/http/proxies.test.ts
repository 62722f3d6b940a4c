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

  for (const network of ['10.0.0.0/33', 'proxy.local', '', '10.0.0.0/x', '::1/129']) {
    it(`refuses ${JSON.stringify(network)} as a network`, () => {
      expect(() => installProxies(new Koa(), [network])).to.throw(ImproperlyConfigured, 'TRUSTED_PROXIES');
    });
  }
});
