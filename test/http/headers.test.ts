/** Hosts, methods, Vary and the headers that every answer carries. */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type Koa from 'koa';
import { ImproperlyConfigured } from '../../server/errors.js';
import { allowed_hosts, refuseTrace, split_domain_port, validate_host } from '../../server/http/allowed_hosts.js';
import { exceptions } from '../../server/http/exceptions.js';
import { http_date, total_seconds } from '../../server/http/http_date.js';
import { len, repr, strip } from '../../server/http/python_text.js';
import { securityHeaders } from '../../server/http/security_headers.js';
import { patch_vary_headers } from '../../server/http/vary.js';
import { appWith, closeServers, serve } from './serve.js';

describe('allowed_hosts', () => {
  afterEach(closeServers);

  it('wants a list of hosts, and says so before the first request', () => {
    for (const ALLOWED_HOSTS of ['shop.example', undefined]) {
      const mount = () => allowed_hosts({ ALLOWED_HOSTS } as never);
      expect(mount).to.throw(ImproperlyConfigured, 'list');
    }
  });

  const hosted = (ALLOWED_HOSTS: readonly string[], debug = false): Koa =>
    appWith(exceptions(), allowed_hosts({ ALLOWED_HOSTS, debug }), (ctx) => {
      ctx.body = ctx.host;
    });

  // As django/tests/requests has them: legal and poisoned hosts.
  const rows: readonly (readonly [host: string, status: 200 | 400])[] = [
    ['forward.com', 200],
    ['example.com', 200],
    ['EXAMPLE.com', 200],
    ['example.com:80', 200],
    ['example.com.', 200],
    ['example.com.:80', 200],
    ['12.34.56.78', 200],
    ['12.34.56.78:443', 200],
    ['[2001:19f0:feee::dead:beef:cafe]', 200],
    ['[2001:19f0:feee::dead:beef:cafe]:8080', 200],
    ['xn--4ca9at.com', 200],
    ['anything.multitenant.com', 200],
    ['multitenant.com', 200],
    ['insensitive.com', 200],
    ['sub.forward.com', 400],
    ['badmultitenant.com', 400],
    ['example.com@evil.tld', 400],
    ['example.com:dr.frankenstein@evil.tld', 400],
    ['example.com:dr.frankenstein@evil.tld:80', 400],
    ['example.com:80/badpath', 400],
    ['example.com: recovermypassword.com', 400],
    ['example.com:', 400],
    ['example.com:x', 400],
    ['example.com, evil.tld', 400],
    ['example.com,', 400],
    [',example.com', 400],
    ['evil.tld:x@example.com', 400],
    ['evil.tld:x@example.com:8000', 400],
    ['evil.tld@example.com', 400],
    ['@example.com', 400],
    ['example.com@', 400],
    ['a,evil.tld@example.com', 400],
    ['example.com#@evil.tld', 400],
    ['example.com?', 400],
    ['example.com\\@evil.tld', 400],
    ['%65xample.com', 400],
    ['exam\tple.com', 400],
    ['evil.tld, example.com', 400],
    ['other.com', 400],
    ['', 400],
    ['.', 400],
    ['..', 400],
    ['\xe9.com', 400],
    ['[::1', 400],
    ['a b', 400],
    ['x'.repeat(10_000), 400],
  ];
  const ALLOWED = [
    'forward.com',
    'example.com',
    'internal.com',
    '12.34.56.78',
    '[2001:19f0:feee::dead:beef:cafe]',
    'xn--4ca9at.com',
    '.multitenant.com',
    'INSENSITIVE.com',
  ];
  for (const [host, status] of rows) {
    it(`answers ${status} to ${JSON.stringify(host.slice(0, 50))}`, async () => {
      const server = await serve(hosted(ALLOWED));
      for (let time = 0; time < 2; time += 1) {
        const answer = await server.raw(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        expect(answer.slice(0, 12)).to.equal(`HTTP/1.1 ${status}`);
      }
    });
  }

  it('looks at the whole X-Forwarded-Host where the application believes in it (app.proxy)', async () => {
    const app = hosted(ALLOWED);
    app.proxy = true;
    const server = await serve(app);
    const status = async (forwarded: string, host = 'example.com'): Promise<number> =>
      (await server.ask({ headers: { host, 'x-forwarded-host': forwarded } })).status;
    expect(await status('forward.com:81')).to.equal(200);
    expect(await status('forward.com', 'evil.tld:x@example.com')).to.equal(200);
    for (const forwarded of ['evil.tld', 'evil.tld:x@example.com', 'example.com, evil.tld', 'evil.tld, example.com']) {
      expect(await status(forwarded), forwarded).to.equal(400);
    }
    expect(await status('')).to.equal(200);
    const other = await serve(hosted(ALLOWED));
    const headers = { host: 'example.com', 'x-forwarded-host': 'evil.tld' };
    expect((await other.ask({ headers })).status, 'without app.proxy').to.equal(200);
  });

  it('looks at :authority in HTTP/2, which must not differ from a Host beside it', async () => {
    const server = http2.createServer(hosted(ALLOWED).callback());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = http2.connect(`http://127.0.0.1:${port}`);
    try {
      const status = async (headers: http2.OutgoingHttpHeaders): Promise<unknown> => {
        const stream = client.request({ ':path': '/', ...headers });
        stream.resume();
        // Some of these nghttp2 refuses itself, with an error of the stream.
        return once(stream, 'response').then(
          ([answer]) => (answer as http2.IncomingHttpHeaders)[':status'],
          () => 400,
        );
      };
      expect(await status({ ':authority': 'example.com:8000' })).to.equal(200);
      expect(await status({ ':authority': 'example.com', host: 'example.com' })).to.equal(200);
      expect(await status({ ':authority': 'evil.tld' })).to.equal(400);
      expect(await status({ ':authority': 'evil.tld:x@example.com' })).to.equal(400);
      expect(await status({ ':authority': 'example.com, evil.tld' })).to.equal(400);
      expect(await status({ ':authority': 'example.com', host: 'evil.tld' })).to.equal(400);
      expect(await status({ ':authority': 'forward.com', host: 'example.com' })).to.equal(400);
    } finally {
      client.close();
      server.close();
    }
  });

  it('allows every valid host with *', async () => {
    const server = await serve(hosted(['*']));
    expect((await server.ask({ headers: { host: 'any.thing:99' } })).status).to.equal(200);
    expect((await server.ask({ headers: { host: 'a/b' } })).status).to.equal(400);
  });

  it('allows nothing with an empty list, and this machine with debug', async () => {
    expect((await (await serve(hosted([]))).ask()).status).to.equal(400);
    const server = await serve(hosted([], true));
    for (const host of ['localhost', 'app.localhost:8000', '127.0.0.1', '[::1]:3000']) {
      expect((await server.ask({ headers: { host } })).status, host).to.equal(200);
    }
    expect((await server.ask({ headers: { host: 'example.com' } })).status).to.equal(400);
  });

  it('answers 400 without a Host and to a target that is no URL', async () => {
    const server = await serve(hosted(['*']));
    expect(await server.raw('GET / HTTP/1.0\r\n\r\n')).to.match(/^HTTP\/1\.1 400 /);
    expect(await server.raw('GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).to.match(
      /^HTTP\/1\.1 400 /,
    );
  });

  it('splits and matches as Django', () => {
    expect(split_domain_port('Example.COM.:8000')).to.deep.equal(['example.com', '8000']);
    expect(split_domain_port('a_b')).to.deep.equal(['', '']);
    expect(validate_host('a.example.com', ['.example.com'])).to.equal(true);
  });
});

describe('refuseTrace', () => {
  afterEach(closeServers);

  it('answers 405 to TRACE and repeats nothing of the request', async () => {
    const server = await serve(
      appWith(exceptions(), refuseTrace(), (ctx) => {
        ctx.body = 'handled';
      }),
    );
    const answer = await server.ask({ method: 'TRACE', headers: { cookie: 'canary=1' } });
    expect([answer.status, answer.headers.allow]).to.deep.equal([405, 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
    expect(answer.text).not.to.contain('canary');
    expect((await server.ask()).text).to.equal('handled');
  });

  it('never lets CONNECT or TRACK through', async () => {
    const server = await serve(appWith(refuseTrace()));
    for (const method of ['CONNECT', 'TRACK']) {
      const answer = await server.raw(`${method} x:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).not.to.match(/^HTTP\/1\.1 2/);
    }
  });
});

describe('securityHeaders', () => {
  afterEach(closeServers);

  const EXPECTED = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'x-frame-options': 'DENY',
    'content-security-policy':
      "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  };

  const app = (...middleware: Koa.Middleware[]): Koa =>
    appWith(securityHeaders(), ...middleware, (ctx) => {
      if (ctx.path === '/500') throw new Error('x');
      if (ctx.path === '/403') ctx.throw(403, 'no', { headers: { 'X-Own': '1' } });
      if (ctx.path === '/odd') throw 'text';
      if (ctx.path !== '/404') ctx.body = 'ok';
    });

  for (const [name, middleware] of [
    ['alone', []],
    ['around exceptions', [exceptions()]],
  ] as const) {
    it(`are on every answer, errors included (${name})`, async () => {
      const server = await serve(app(...middleware));
      for (const [path, status] of [
        ['/', 200],
        ['/404', 404],
        ['/403', 403],
        ['/500', 500],
        ['/odd', 500],
      ] as const) {
        const answer = await server.ask({ path });
        expect(answer.status, path).to.equal(status);
        expect(answer.headers, path).to.include(EXPECTED);
        expect(answer.headers).not.to.have.property('strict-transport-security');
      }
      expect((await server.ask({ path: '/403' })).headers['x-own']).to.equal('1');
    });
  }

  it('ask for https over https only', async () => {
    const secure = app();
    secure.proxy = true;
    const server = await serve(secure);
    const headers = { 'x-forwarded-proto': 'https' };
    expect((await server.ask({ headers })).headers['strict-transport-security']).to.equal('max-age=31536000');
    expect((await server.ask()).headers).not.to.have.property('strict-transport-security');
    expect((await (await serve(app())).ask({ headers })).headers).not.to.have.property('strict-transport-security');
  });
});

describe('patch_vary_headers', () => {
  afterEach(closeServers);

  // As django/tests/utils_tests/test_cache.py has them.
  const rows: readonly (readonly [before: string | null, added: readonly string[], after: string])[] = [
    [null, ['Accept-Encoding'], 'Accept-Encoding'],
    ['Accept-Encoding', ['accept-encoding'], 'Accept-Encoding'],
    ['Accept-Encoding', ['ACCEPT-ENCODING'], 'Accept-Encoding'],
    ['Cookie', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
    ['Cookie, Accept-Encoding', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
    ['Cookie, Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie, Accept-Encoding'],
    [null, ['Accept-Encoding', 'COOKIE'], 'Accept-Encoding, COOKIE'],
    ['Cookie     ,     Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie     ,     Accept-Encoding'],
    ['*', ['Accept-Language', 'Cookie'], '*'],
    ['Accept-Language, Cookie', ['*'], '*'],
  ];
  for (const [before, added, after] of rows) {
    it(`makes ${after} of ${before} and ${added.join(', ')}`, async () => {
      const app = appWith((ctx) => {
        if (before !== null) ctx.set('Vary', before);
        patch_vary_headers(ctx, ...added);
      });
      expect((await (await serve(app)).ask()).headers.vary).to.equal(after);
    });
  }
});

describe('http_date', () => {
  it('prints as Django', () => {
    expect(http_date(0)).to.equal('Thu, 01 Jan 1970 00:00:00 GMT');
    expect(http_date(-1)).to.equal('Wed, 31 Dec 1969 23:59:59 GMT');
    expect(http_date(0.9)).to.equal('Thu, 01 Jan 1970 00:00:00 GMT');
    expect(http_date(0.999_999_9)).to.equal('Thu, 01 Jan 1970 00:00:01 GMT');
    expect(http_date(253_402_300_799)).to.equal('Fri, 31 Dec 9999 23:59:59 GMT');
  });

  it('refuses what Python cannot print', () => {
    for (const time of [253_402_300_800, -62_135_596_801, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => http_date(time)).to.throw('years 1 to 9999');
    }
  });

  it('adds up durations as timedelta', () => {
    expect(total_seconds({ weeks: 1, days: -1, hours: 1, minutes: 1, seconds: 1, milliseconds: 500 })).to.equal(
      522_061.5,
    );
    expect(() => total_seconds({ fortnights: 1 } as object)).to.throw('fortnights');
    expect(() => total_seconds('3600' as unknown as number)).to.throw('a number of seconds or an object');
  });
});

describe('texts as in Python', () => {
  it('strip', () => {
    expect(strip('\u001c\u0085\u00a0\u3000 a b \t\n')).to.equal('a b');
    expect(strip('\ufeffa\u200b')).to.equal('\ufeffa\u200b');
    expect(strip(' \t ')).to.equal('');
  });

  it('repr', () => {
    expect(repr("a'b")).to.equal('"a\'b"');
    expect(repr('a\'"\n\0é\x7f\u00a0')).to.equal("'a\\'\"\\n\\x00é\\x7f\\xa0'");
  });

  it('len', () => {
    expect(['', 'a', '😀', '\ud83d', '\ude00\ud83d', 'a😀b'].map(len)).to.deep.equal([0, 1, 1, 1, 2, 3]);
  });
});
