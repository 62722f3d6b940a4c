/** Answers that take long, and connections of a server that goes down. */
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { createListener, type Listener } from '../../server/http/listener.js';
import { until } from '../fire/until.js';

const LIMITS = { MAX_HEADER_BYTES: 16_384, MAX_HEADERS: 100, HEADERS_TIMEOUT: 5, KEEP_ALIVE_TIMEOUT: 60 };
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the listener', () => {
  let listener: Listener;
  const clients: Socket[] = [];

  afterEach(() => {
    for (const socket of clients.splice(0)) socket.destroy();
    listener.server.closeAllConnections();
    listener.server.close();
  });

  async function listen(
    handle: (request: IncomingMessage, response: ServerResponse) => void,
    REQUEST_TIMEOUT = 20,
  ): Promise<number> {
    listener = createListener(handle, { ...LIMITS, REQUEST_TIMEOUT });
    listener.server.listen(0, '127.0.0.1');
    await once(listener.server, 'listening');
    return (listener.server.address() as AddressInfo).port;
  }

  /** A connection, what came back on it, and whether it is closed. */
  async function client(
    to: number | { readonly port: number; readonly allowHalfOpen: boolean },
  ): Promise<{ readonly socket: Socket; text: string; closed: boolean }> {
    const accepted = once(listener.server, 'connection');
    const socket = connect({ host: '127.0.0.1', ...(typeof to === 'number' ? { port: to } : to) }).setEncoding(
      'latin1',
    );
    const state = { socket, text: '', closed: false };
    socket.on('data', (chunk: string) => {
      state.text += chunk;
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      state.closed = true;
    });
    clients.push(socket);
    await accepted;
    return state;
  }
  const closed = (state: { readonly closed: boolean }): Promise<true> =>
    until(() => state.closed || undefined, { seconds: 60, what: () => 'the connection to close' });

  it('lets an answer take longer than REQUEST_TIMEOUT', async () => {
    let late: ServerResponse | undefined;
    const port = await listen((_request, response) => {
      late = response;
    }, 0.01);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, host: '127.0.0.1' }, resolve).on('error', reject).end();
    });
    // Twice, because what is looked at once could be forgotten afterwards.
    for (let round = 0; round < 2; round += 1) await once(listener.server, 'timeout');
    late?.end('made at last');
    expect((await answer).statusCode).to.equal(200);
  });

  it('ends a connection whose request never ends, also where the client keeps its side open', async () => {
    const port = await listen(() => {}, 0.01);
    const slow = await client({ port, allowHalfOpen: true });
    slow.socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\na');
    const connections = (): Promise<number> =>
      new Promise((resolve) => listener.server.getConnections((_error, count) => resolve(count)));
    await until(async () => (await connections()) === 0 || undefined, { seconds: 60, what: () => 'its end' });
    expect(slow.text).to.match(/^HTTP\/1\.1 408 /);
  });

  describe('that goes down', () => {
    it('closes a connection on which no request ever came', async () => {
      const unused = await client(await listen((_request, response) => response.end()));
      await listener.connections.close({ timeout: 60 });
      await closed(unused);
      expect(unused.text).to.equal('');
    });

    it('answers a request that comes on a connection that was new', async () => {
      const fresh = await client(await listen((_request, response) => response.end('yes')));
      const down = listener.connections.close({ timeout: 60 });
      fresh.socket.write(GET);
      await down;
      await closed(fresh);
      expect(fresh.text).to.match(/^HTTP\/1\.1 200 OK[\s\S]*Connection: close[\s\S]*yes$/);
    });

    it('says Connection: close on what is being answered and on what comes later, and serves on until it closes', async () => {
      const answers: ServerResponse[] = [];
      const port = await listen((_request, response) => answers.push(response));
      const answer = (index: number): Promise<ServerResponse> =>
        until(() => answers[index], { seconds: 60, what: () => 'the request' });
      const [before, idle] = [await client(port), await client(port)];
      before.socket.write(GET);
      await answer(0);
      idle.socket.write(GET);
      (await answer(1)).end('kept');
      await until(() => idle.text.includes('kept') || undefined, { seconds: 60, what: () => 'the first answer' });
      expect(idle.text).to.contain('Connection: keep-alive');

      listener.connections.endAfterAnswer();
      (await answer(0)).end();
      await closed(before);
      idle.socket.write(GET);
      (await answer(2)).end();
      await closed(idle);
      const later = await client(port);
      later.socket.write(GET);
      (await answer(3)).end();
      await closed(later);
      for (const { text } of [before, idle, later]) expect(text).to.contain('Connection: close');
    });

    it('closes idle connections at once; where it is patient, after their next answer', async () => {
      for (const patient of [false, true]) {
        const idle = await client(await listen((_request, response) => response.end('yes')));
        idle.socket.write(GET);
        await until(() => idle.text.includes('yes') || undefined, { seconds: 60, what: () => 'the answer' });
        const down = listener.connections.close({ timeout: 60, patient });
        if (patient) idle.socket.write(GET);
        await down;
        await closed(idle);
        expect(idle.text.split('yes')).to.have.length(patient ? 3 : 2);
      }
    });

    it('cuts what is not answered within the timeout', async () => {
      const stuck = await client(await listen(() => {}));
      stuck.socket.write(GET);
      await once(listener.server, 'request');
      await listener.connections.close({ timeout: 0.05 });
      await closed(stuck);
      expect(stuck.text).to.equal('');
    });
  });
});
