/** Where a redirect may go: each row was answered by Django 6.0. */
import { expect } from 'chai';
import { is_same_domain, url_has_allowed_host_and_scheme } from '../../server/http/safe_url.js';
import { expectLinear } from '../support/growth.js';

/** URL; allowed for hosts testserver and testserver2; the same with require_https; allowed without any host. */
const URLS: readonly (readonly [url: string | null, allowed: boolean, https: boolean, alone: boolean])[] = [
  ['http://example.com', false, false, false],
  ['http:///example.com', false, false, false],
  ['https://example.com', false, false, false],
  ['ftp://example.com', false, false, false],
  ['\\\\example.com', false, false, false],
  ['\\\\\\example.com', false, false, false],
  ['/\\\\/example.com', false, false, false],
  ['\\\\//example.com', false, false, false],
  ['/\\/example.com', false, false, false],
  ['\\/example.com', false, false, false],
  ['/\\example.com', false, false, false],
  ['http:/\\//example.com', false, false, false],
  ['http:\\/example.com', false, false, false],
  ['http:/\\example.com', false, false, false],
  ['javascript:alert("XSS")', false, false, false],
  ['\njavascript:alert(x)', false, false, false],
  ['java\nscript:alert(x)', false, false, false],
  ['\b//example.com', false, false, false],
  ['http://otherserver\\@example.com', false, false, false],
  ['http:\\\\testserver\\@example.com', false, false, false],
  ['http://testserver\\me:pass@example.com', false, false, false],
  ['http://testserver\\@example.com', false, false, false],
  ['http:\\\\testserver\\confirm\\me@example.com', false, false, false],
  ['http:999999999', false, false, false],
  ['ftp:9999999999', false, false, false],
  ['\n', false, false, false],
  ['http://[2001:cdba:0000:0000:0000:0000:3257:9652/', false, false, false],
  ['http://2001:cdba:0000:0000:0000:0000:3257:9652]/', false, false, false],
  ['', false, false, false],
  ['   ', false, false, false],
  [null, false, false, false],
  ['///example.com', false, false, false],
  ['////example.com', false, false, false],
  ['//example.com', false, false, false],
  ['//testserver@example.com', false, false, false],
  ['http://testserver@example.com/', false, false, false],
  ['http://testserver:80/', false, false, false],
  ['http://testserver.example.com', false, false, false],
  ['http://TESTSERVER/', false, false, false],
  ['data:text/html,x', false, false, false],
  ['vbscript:x', false, false, false],
  ['\u202e//example.com', false, false, false],
  ['\u200b//example.com', false, false, false],
  ['\ufeff//example.com', false, false, false],
  ['\u0000/x', false, false, false],
  ['\u001f//example.com', false, false, false],
  ['\t//example.com', false, false, false],
  ['/\t/example.com', false, false, false],
  ['/\n/example.com', false, false, false],
  ['h\nttp://example.com', false, false, false],
  ['x'.repeat(2049), false, false, false],
  [`/${'x'.repeat(2048)}`, false, false, false],
  ['http://testserver\u2100/', false, false, false],
  ['http://testserver\uff0f@example.com/', false, false, false],
  ['http://[::1]/', false, false, false],
  ['http://[testserver]/', false, false, false],
  ['http://testserver[]/', false, false, false],
  ['http:testserver', false, false, false],
  ['//', true, true, true],
  ['http://', false, false, false],
  ['https:///', false, false, false],
  ['\u3000//example.com', false, false, false],
  ['a:b', false, false, false],
  ['/:x//example.com:y', true, true, true],
  ['mailto:me@testserver', false, false, false],
  ['://testserver', true, true, true],
  ['1http://example.com', true, true, true],
  ['http://testserver#@example.com/', true, false, false],
  ['http://testserver?@example.com/', true, false, false],
  ['\\\\testserver', true, false, false],
  ['http:\\\\testserver', false, false, false],
  ['/view/?param=http://example.com', true, true, true],
  ['/view/?param=https://example.com', true, true, true],
  ['/view?param=ftp://example.com', true, true, true],
  ['view/?param=//example.com', true, true, true],
  ['https://testserver/', true, true, false],
  ['HTTPS://testserver/', true, true, false],
  ['//testserver/', true, false, false],
  ['http://testserver/confirm?email=me@example.com', true, false, false],
  ['/url%20with%20spaces/', true, true, true],
  ['path/http:2222222222', true, true, true],
  ['/', true, true, true],
  ['?x=1', true, true, true],
  ['#top', true, true, true],
  ['x', true, true, true],
  ['/\u6e05/', true, true, true],
  [' /x ', true, true, true],
  ['/x\\y', true, true, true],
  [`/${'x'.repeat(2047)}`, true, true, true],
  ['/\u200b', true, true, true],
  ['/a:b', true, true, true],
  ['./a:b', true, true, true],
];

describe('url_has_allowed_host_and_scheme', () => {
  for (const [url, allowed, https, alone] of URLS) {
    it(`${allowed ? 'allows' : 'refuses'} ${JSON.stringify(url)?.slice(0, 80)}`, () => {
      const hosts = ['testserver', 'testserver2'];
      expect(url_has_allowed_host_and_scheme(url, hosts)).to.equal(allowed);
      expect(url_has_allowed_host_and_scheme(url, hosts, true)).to.equal(https);
      expect(url_has_allowed_host_and_scheme(url, null)).to.equal(alone);
    });
  }

  it('takes one host as text, not as its letters', () => {
    expect(url_has_allowed_host_and_scheme('http://example.com/', 'example.com')).to.equal(true);
    expect(url_has_allowed_host_and_scheme('http://e/', 'example.com')).to.equal(false);
  });

  it('takes linear time whatever the length', async () => {
    for (const part of [' ', '\\', '/', '[', ':', '\u2100', 'a:', '//\u0300\u0316']) {
      await expectLinear(
        (size) => part.repeat(size),
        (url) => url_has_allowed_host_and_scheme(url, null),
      );
    }
  });
});

describe('is_same_domain', () => {
  const rows: readonly (readonly [host: string, pattern: string, same: boolean])[] = [
    ['example.com', 'example.com', true],
    ['example.com', '.example.com', true],
    ['foo.example.com', '.example.com', true],
    ['example.com:8888', 'example.com:8888', true],
    ['example.com:8888', '.example.com:8888', true],
    ['foo.example.com:8888', '.example.com:8888', true],
    ['example.com', 'EXAMPLE.com', true],
    ['example2.com', 'example.com', false],
    ['foo.example.com', 'example.com', false],
    ['example.com:9999', 'example.com:8888', false],
    ['foo.example.com:8888', '.example.com', false],
    ['badexample.com', '.example.com', false],
    ['example.com', '', false],
    ['', '', false],
  ];
  for (const [host, pattern, same] of rows) {
    it(`${host || "''"} ${same ? 'fits' : 'does not fit'} ${pattern || "''"}`, () => {
      expect(is_same_domain(host, pattern)).to.equal(same);
    });
  }
});
