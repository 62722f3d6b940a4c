/** Which forwarded headers are believed: those that came from an address we were told to trust, and no others. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import type Koa from 'koa';
import { ImproperlyConfigured } from '../errors.js';

/**
 * Make `ctx.ip`, `ctx.protocol` and with it `ctx.secure` right behind trusted proxies. Koa's own `app.proxy = true`
 * believes every client; here X-Forwarded-For and X-Forwarded-Proto alone change nothing. The address that counts is
 * the last one in the chain that is no trusted proxy: what stands to its left is the client's own word.
 *
 * @param networks addresses and networks, for example `127.0.0.1` or `10.0.0.0/8`
 * @throws ImproperlyConfigured for what is neither
 */
export function installProxies(app: Koa, networks: readonly string[]): void {
  const trusted = blockListOf(networks);
  const isTrusted = (address: string): boolean => trusted.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  const remote = (request: Koa.Request): string => plain(request.socket.remoteAddress ?? '');

  Object.defineProperties(app.request, {
    ip: {
      configurable: true,
      get(this: Koa.Request): string {
        let address = remote(this);
        const chain = this.get('X-Forwarded-For')
          .split(',')
          .map((part) => plain(part.trim()));
        while (isIP(address) !== 0 && isTrusted(address)) {
          const next = chain.pop();
          if (next === undefined || isIP(next) === 0) break;
          address = next;
        }
        return address;
      },
    },
    protocol: {
      configurable: true,
      get(this: Koa.Request): string {
        if ('encrypted' in this.socket && this.socket.encrypted === true) return 'https';
        const address = remote(this);
        if (isIP(address) === 0 || !isTrusted(address)) return 'http';
        const forwarded = this.get('X-Forwarded-Proto').split(',').at(-1)?.trim().toLowerCase();
        return forwarded === 'https' ? 'https' : 'http';
      },
    },
  });
}

/** `::ffff:127.0.0.1` → `127.0.0.1`: what a socket that listens on IPv6 calls an IPv4 client. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    const bits = family === 'ipv4' ? 32 : 128;
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (isIP(address) === 0 || length < 0 || length > bits) {
      throw new ImproperlyConfigured(
        `TRUSTED_PROXIES: "${network}" is neither an address nor a network such as 10.0.0.0/8.`,
      );
    }
    list.addSubnet(address, length, family);
  }
  return list;
}
