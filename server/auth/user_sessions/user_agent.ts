/** What a User-Agent header says of a browser, for people. */
import { optionalPackage } from '../../optional_package.js';

/** Longer headers are cut: no browser sends one, and a stranger may send anything. */
export const LONGEST_USER_AGENT = 512;

/** What a User-Agent says of itself, for people to read. */
export interface BrowserName {
  /** Name and major version, such as `Firefox 128`; a program's own name, such as `curl`; null when unknown. */
  readonly browser: string | null;
  /** The system's name without a version, because browsers tell an old one on purpose; null when unknown. */
  readonly system: string | null;
}

// RFC 9110 section 10.1.5: product = token ["/" product-version].
const PRODUCT = /^([A-Za-z][\w.-]{0,39})(?:\/|$)/;

/**
 * The browser and the system that a User-Agent names. Anybody may write anything there.
 *
 * ```ts
 * const { browser, system } = await readUserAgent(ctx.get('User-Agent'));
 * ```
 *
 * @throws ImproperlyConfigured when the package bowser is not installed
 */
export async function readUserAgent(user_agent: string): Promise<BrowserName> {
  const { parse } = await optionalPackage({ what: 'Names of browsers', packages: ['bowser'] }, () => import('bowser'));
  const text = user_agent.slice(0, LONGEST_USER_AGENT);
  if (text === '') return { browser: null, system: null };
  const { browser, os } = parse(text);
  const system = os.name === undefined || os.name === '' ? null : os.name;
  if (browser.name === undefined || browser.name === '') return { browser: product(text), system };
  const [major = ''] = (browser.version ?? '').split('.', 1);
  return { browser: `${browser.name} ${major}`.trim(), system };
}

function product(text: string): string | null {
  const name = PRODUCT.exec(text)?.[1] ?? null;
  return name === 'Mozilla' ? null : name;
}
