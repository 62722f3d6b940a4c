/** The same Host headers are answered at both sides, and with X-Forwarded-Host where it is believed. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import Koa from 'koa';
import { allowed_hosts } from '../../../server/http/allowed_hosts.js';
import { exceptions } from '../../../server/http/exceptions.js';
import { closeServers, serve } from '../../http/serve.js';
import { eachDjango } from '../pairs.js';

const ALLOWED_HOSTS = ['127.0.0.1', '[::1]', '.shop.test', 'Example.com'];

const HOSTS: readonly string[] = [
  '127.0.0.1',
  '127.0.0.1:8000',
  '127.0.0.1:',
  '127.0.0.1:0',
  '127.0.0.1:99999999',
  '127.0.0.1:8000:1',
  '127.0.0.1:8000 ',
  '127.0.0.1:+80',
  '127.0.0.1:8_0',
  '127.0.0.1.',
  '127.1',
  '2130706433',
  '[::1]',
  '[::1]:80',
  '[::1].',
  '[::1',
  '::1',
  '[::1%25lo]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  'evil.example:x@127.0.0.1:8000',
  'evil.example@127.0.0.1',
  '@127.0.0.1',
  '127.0.0.1@',
  '127.0.0.1@evil.example',
  '127.0.0.1:8000@evil.example',
  'a:b@c:d@127.0.0.1',
  '127.0.0.1:8000, evil.example',
  'evil.example, 127.0.0.1:8000',
  '127.0.0.1,',
  ',127.0.0.1',
  '127.0.0.1,127.0.0.1',
  '127.0.0.1 evil.example',
  '127.0.0.1\tevil.example',
  '127.0.0.1;evil.example',
  '127.0.0.1/evil.example',
  '127.0.0.1\\evil.example',
  '127.0.0.1?evil.example',
  '127.0.0.1#evil.example',
  '127.0.0.1#@evil.example',
  'http://127.0.0.1',
  '//127.0.0.1',
  'evil.example',
  'evil.example:127.0.0.1',
  'shop.test',
  'SHOP.test:80',
  'a.shop.test',
  'a.b.shop.test.',
  '.shop.test',
  '..shop.test',
  'evilshop.test',
  'shop.test.evil.example',
  'a_b.shop.test',
  'a-.shop.test',
  '*.shop.test',
  '%61.shop.test',
  'sh\u00f6p.test',
  'example.com',
  'EXAMPLE.COM.:443',
  'example.com..',
  'example..com',
  "example.com'",
  'example.com"',
  '<script>.shop.test',
  '.',
  '-',
  ':80',
  '[]',
  '[]:80',
  '*',
  `${'a'.repeat(300)}.shop.test`,
];

const ASK_DJANGO = `
import json, sys
from django.conf import settings
given = json.load(sys.stdin)
settings.configure(ALLOWED_HOSTS=given["allowed"], USE_X_FORWARDED_HOST=given["forwarded"])
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
def good(host):
    request = HttpRequest()
    request.META = {"HTTP_X_FORWARDED_HOST" if given["forwarded"] else "HTTP_HOST": host, "SERVER_NAME": "x"}
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True
print(json.dumps([good(host) for host in given["hosts"]]))
`;

await eachDjango((django) => {
  afterEach(closeServers);

  async function answeredByDjango(hosts: readonly string[], forwarded: boolean): Promise<readonly boolean[]> {
    const asked = promisify(execFile)(django.python, ['-c', ASK_DJANGO]);
    asked.child.stdin?.end(JSON.stringify({ allowed: ALLOWED_HOSTS, hosts, forwarded }));
    return JSON.parse((await asked).stdout) as boolean[];
  }

  async function answeredHere(hosts: readonly string[], forwarded: boolean): Promise<readonly boolean[]> {
    const app = new Koa();
    app.proxy = forwarded;
    app.use(exceptions());
    app.use(allowed_hosts({ ALLOWED_HOSTS }));
    app.use((ctx) => {
      ctx.body = 'answered';
    });
    const { raw } = await serve(app);
    const answered: boolean[] = [];
    for (const host of hosts) {
      const lines = forwarded ? `Host: 127.0.0.1\r\nX-Forwarded-Host: ${host}` : `Host: ${host}`;
      const answer = await raw(Buffer.from(`GET / HTTP/1.1\r\n${lines}\r\nConnection: close\r\n\r\n`, 'latin1'));
      answered.push(answer.startsWith('HTTP/1.1 200 '));
    }
    return answered;
  }

  for (const forwarded of [false, true]) {
    it(`answers the same ${forwarded ? 'X-Forwarded-Host' : 'Host'} headers`, async () => {
      // What stands around a header's value is no part of it.
      const hosts = HOSTS.map((host) => host.trim());
      const [theirs, ours] = [await answeredByDjango(hosts, forwarded), await answeredHere(hosts, forwarded)];
      for (const [index, host] of hosts.entries()) expect([host, ours[index]]).to.deep.equal([host, theirs[index]]);
      expect(theirs.filter(Boolean)).to.have.length.within(10, 30);
    });
  }
});
