/** What a sibling host can make Chromium send: no cookie that is taken for one with a prefix. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { chromium } from 'playwright-core';
import { parse_cookie } from '../../server/http/cookie_header.js';
import { decodeHeader } from '../../server/http/header_bytes.js';

const SPACES = ['', ' ', '\t', '\u2000', '\u00a0', '\u0085', '\u3000', '\u1680', '\u2028', '\ufeff'];
const NAMES = ['__Host-sessionid', '__Secure-sessionid', '__host-sessionid'];

describe('in Chromium, a sibling host', () => {
  it('plants no cookie with a prefix, whatever it writes around the name', async () => {
    let sent = '';
    const planted = NAMES.flatMap((name) => SPACES.flatMap((space) => [`${space}${name}`, `=${space}${name}`]));
    const server = createServer(({ headers }, response) => {
      if (headers.host?.startsWith('sibling.') === true) {
        const lines = planted.map((name) =>
          Buffer.from(`${name}=planted; Domain=shop.test; Path=/`).toString('latin1'),
        );
        response.setHeader('Set-Cookie', lines);
      } else if (headers.cookie !== undefined) sent = headers.cookie;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP *.shop.test 127.0.0.1'],
    });
    try {
      const page = await browser.newPage();
      await page.goto(`http://sibling.shop.test:${port}/`);
      await page.goto(`http://app.shop.test:${port}/`);
    } finally {
      await browser.close();
      server.close();
    }
    // It does send some, with names that Python's strip() would take for the others.
    expect(decodeHeader(sent)).to.include('\u2000__Host-sessionid=planted');
    const cookies = parse_cookie(decodeHeader(sent));
    expect([...cookies.keys()].filter((name) => NAMES.includes(name))).to.deep.equal([]);
  });
});
