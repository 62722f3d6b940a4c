import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { ImproperlyConfigured } from '../../server/errors.js';
import { listen } from '../../server/ops/listen.js';
import { reasonOf } from '../support/reason.js';

describe('listen', () => {
  it('says in a sentence which setting has a port that is in use', async () => {
    const first = createServer();
    await once(first.listen(0, '127.0.0.1'), 'listening');
    const { port } = first.address() as AddressInfo;
    for (const name of ['PORT', 'METRICS_PORT'] as const) {
      const reason = await reasonOf(listen(createServer(), { name, port, host: '127.0.0.1' }));
      expect(reason).to.be.instanceOf(ImproperlyConfigured);
      expect(reason).to.have.property('message', `${name}: ${port} of 127.0.0.1 is in use. Give another one.`);
    }
    first.close();
  });

  it('says that HOST is no address of this machine', async () => {
    // RFC 5737, TEST-NET-1.
    const reason = await reasonOf(listen(createServer(), { name: 'PORT', port: 0, host: '192.0.2.1' }));
    expect(reason).to.be.instanceOf(ImproperlyConfigured);
    expect(reason)
      .to.have.property('message')
      .that.matches(/^HOST: 192\.0\.2\.1 is no address of this machine/);
  });
});
