/** Maps addresses to clients, for counting. */
import { isIPv4, isIPv6 } from 'node:net';

/**
 * An IPv4 address unchanged, an IPv6 address as its /64: a customer gets at least a /64 and can use all 2^64 addresses
 * in it (RFC 6177). IPv4 inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. Anything else is returned unchanged.
 */
export function addressBlock(address: string): string {
  if (isIPv4(address)) return address;
  const [bare = ''] = address.split('%', 1);
  if (!isIPv6(bare)) return address;
  const groups = groupsOf(bare);
  const [high = 0, low = 0] = groups.slice(6);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/**
 * The network of an address, for display: IPv4 /24, IPv6 /48, a site's prefix (RFC 6177). Empty for an invalid address.
 *
 * `203.0.113.7` → `203.0.113.0/24`, `2001:db8:1:2::3` → `2001:db8:1::/48`
 */
export function addressNetwork(address: string): string {
  const block = addressBlock(address);
  if (isIPv4(block)) return `${block.slice(0, block.lastIndexOf('.'))}.0/24`;
  const [bare = ''] = address.split('%', 1);
  if (!isIPv6(bare)) return '';
  const site = groupsOf(bare).slice(0, 3);
  return `${new URL(`http://[${site.map((group) => group.toString(16)).join(':')}::]/`).hostname.slice(1, -1)}/48`;
}

/** The eight numbers of a valid IPv6 address without a zone. WHATWG's URL normalises it (RFC 5952). */
function groupsOf(address: string): number[] {
  const [left = '', right] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const numbers = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const first = numbers(left);
  if (right === undefined) return first;
  const last = numbers(right);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}
