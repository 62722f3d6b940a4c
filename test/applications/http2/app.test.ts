import { once } from 'node:events';
import { type ClientHttp2Session, connect, type Http2Server, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { DatabaseStore } from 'koa-django-session/stores/db';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { createHttp2Server } from './app.js';

describe('node:http2', () => {
  let database: ApplicationDatabase;
  let server: Http2Server;
  let client: ClientHttp2Session;
  before(async () => {
    database = await applicationDatabase();
    server = createHttp2Server(new DatabaseStore(database.knex)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(async () => {
    client.close();
    const closed = once(server, 'close');
    server.close();
    await closed;
    await database.drop();
  });

  async function get(
    path: string,
    cookie?: string | string[],
  ): Promise<{ headers: IncomingHttpHeaders; text: string }> {
    const stream = client.request({ ':path': path, ...(cookie === undefined ? {} : { cookie }) });
    stream.setEncoding('utf8');
    const answered = once(stream, 'response');
    let text = '';
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    const ended = once(stream, 'end');
    const [headers] = (await answered) as [IncomingHttpHeaders];
    await ended;
    return { headers, text };
  }

  const cookieOf = (headers: IncomingHttpHeaders): string => headers['set-cookie']?.[0]?.split(';')[0] ?? '';

  it('gives a session, and finds it again in one cookie header among several', async () => {
    const first = await get('/count');
    expect(first.headers[':status']).to.equal(200);
    expect(first.headers.vary).to.equal('Cookie');
    const cookie = cookieOf(first.headers);
    expect(cookie).to.match(/^sessionid=\w{32}$/);
    // HTTP/2 lets a browser split its cookies (RFC 9113, 8.2.3).
    const second = await get('/count', ['theme=dark', cookie]);
    expect(second.text).to.equal('{"visits":2}');
  });

  it('keeps what two streams of one connection change at once', async () => {
    const cookie = cookieOf((await get('/count')).headers);
    await Promise.all([get('/missing', cookie), get('/count', cookie)]);
    expect(JSON.parse((await get('/', cookie)).text)).to.deep.equal({ visits: 2, missed: true });
  });

  it('sends the cookie with a 404 that was thrown', async () => {
    const { headers } = await get('/missing');
    expect(headers[':status']).to.equal(404);
    expect(JSON.parse((await get('/', cookieOf(headers))).text)).to.deep.equal({ missed: true });
  });
});
