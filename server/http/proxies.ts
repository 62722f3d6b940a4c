/** Reads forwarded headers only from trusted addresses. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';
import type Koa from 'koa';
import { ImproperlyConfigured } from '../errors.js';
import type { Application } from './application.js';
import { OwnState } from './own_state.js';
import { repr } from './python_text.js';

/**
 * The number of elements of X-Forwarded-For that are read, and the longest text of an address with port, zone and
 * quotes.
 */
const MOST_ELEMENTS = 50;
const LONGEST = 100;

const IP = new OwnState<string>('ip');

/**
 * Make `ctx.ip`, `ctx.protocol` and with it `ctx.secure` right behind trusted proxies. Koa's `app.proxy = true` trusts
 * every client; here X-Forwarded-For and X-Forwarded-Proto are read only from trusted proxies. The client is the last
 * address in the chain that is not a trusted proxy: addresses to its left are claims of the client. Ports are removed
 * (`203.0.113.9:51234`, `[2001:db8::1]:443`), and zones (`fe80::1%eth0`).
 *
 * If a trusted proxy sends no address (`unknown`), the proxy's own address is used, so its visitors share it; the
 * application's `error` event reports that once. X-Forwarded-Host and Forwarded (RFC 7239) are not read.
 *
 * ```ts
 * installProxies(app, ['127.0.0.1', '10.0.0.0/8']);
 * ```
 *
 * @param networks addresses and networks, for example `127.0.0.1` or `10.0.0.0/8`
 * @throws ImproperlyConfigured for what is neither
 */
export function installProxies(app: Application, networks: readonly string[]): void {
  if (!Array.isArray(networks)) {
    throw new ImproperlyConfigured("installProxies needs a list of addresses or networks, such as ['10.0.0.0/8'].");
  }
  const trusted = blockListOf(networks);
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  const remote = (request: Koa.Request): string => plain(request.socket.remoteAddress ?? '');
  let told = false;

  function client(request: Koa.Request): string {
    let address = remote(request);
    const chain = request.get('X-Forwarded-For');
    let end = chain.length;
    for (let seen = 0; seen < MOST_ELEMENTS && end > 0 && isTrusted(address); seen += 1) {
      const comma = chain.lastIndexOf(',', end - 1);
      const element = chain.slice(comma + 1, end).trim();
      end = comma;
      // RFC 9110 section 5.6.1: empty list elements are ignored.
      if (element === '') continue;
      const next = forwardedAddress(element);
      if (next === null) {
        tell(request, address, element);
        break;
      }
      address = next;
    }
    return address;
  }

  function tell({ ctx }: Koa.Request, proxy: string, element: string): void {
    if (told || ctx.app.listenerCount('error') === 0) return;
    told = true;
    const shown = repr(element.length > LONGEST ? `${element.slice(0, LONGEST)}…` : element);
    const error = new ImproperlyConfigured(
      `The trusted proxy ${proxy} sent X-Forwarded-For with ${shown}, which is not an address: such visitors share the address of the proxy. Configure the proxy to send addresses, with or without a port. This is reported once.`,
    );
    ctx.app.emit('error', error, ctx);
  }

  Object.defineProperties(app.request, {
    ip: {
      configurable: true,
      get(this: Koa.Request): string {
        return IP.orMade(this, () => client(this));
      },
      set(this: Koa.Request, address: string) {
        IP.set(this, address);
      },
    },
    protocol: {
      configurable: true,
      get(this: Koa.Request): string {
        if ('encrypted' in this.socket && this.socket.encrypted === true) return 'https';
        if (!isTrusted(remote(this))) return 'http';
        const forwarded = this.get('X-Forwarded-Proto').split(',').at(-1)?.trim().toLowerCase();
        return forwarded === 'https' ? 'https' : 'http';
      },
    },
  });
}

// RFC 7239 section 6: IPv6 in brackets, then an optional port.
const BRACKETED = /^\[([^\]]*)\](?::\d{1,5})?$/;
const IPV4_WITH_PORT = /^(?:::ffff:)?([\d.]+):\d{1,5}$/i;

/** `203.0.113.9:51234` → `203.0.113.9`, `"[2001:db8::1%eth0]:443"` → `2001:db8::1`; null for an invalid address. */
function forwardedAddress(element: string): string | null {
  if (element.length > LONGEST) return null;
  const quoted = element.length > 1 && element.startsWith('"') && element.endsWith('"');
  const text = quoted ? element.slice(1, -1) : element;
  const ipv6 = BRACKETED.exec(text)?.[1];
  const ipv4 = IPV4_WITH_PORT.exec(text)?.[1];
  if (ipv6 !== undefined) return isIPv6(ipv6) ? withoutZone(ipv6) : null;
  if (ipv4 !== undefined) return isIPv4(ipv4) ? ipv4 : null;
  return isIP(text) === 0 ? null : withoutZone(plain(text));
}

/** A zone names an interface of the machine that wrote it. */
const withoutZone = (address: string): string => address.split('%', 1)[0] ?? '';

/** `::ffff:127.0.0.1` → `127.0.0.1`: the name of an IPv4 client on an IPv6 socket. */
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
