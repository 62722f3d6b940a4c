/** Parses a User-Agent header for display. */
import { optionalPackage } from '../../optional_package.js';

/** Longer headers are truncated: browsers do not send them, attackers may. */
export const LONGEST_USER_AGENT = 512;

/** Browser and system of a User-Agent, for display. */
export interface BrowserName {
  /** Name and major version, such as `Firefox 128`; or the name of a program, such as `curl`; null if unknown. */
  readonly browser: string | null;
  /** The system's name without its version, which browsers freeze on purpose; null if unknown. */
  readonly system: string | null;
}

// RFC 9110 section 10.1.5: product = token ["/" product-version].
const PRODUCT = /^([A-Za-z][\w.-]{0,39})(?:\/|$)/;

/**
 * The browser and the system of a User-Agent. The header can be forged.
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
