/** Optional packages, imported at first use. */
import { hasCode } from './error_code.js';
import { ImproperlyConfigured } from './errors.js';

/** Node's error codes for a missing package. */
const NOT_FOUND: readonly string[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

export interface OptionalPackages {
  /** The subject of the sentence, in the plural: `Passwords hashed by Argon2`. */
  readonly what: string;
  readonly packages: readonly string[];
}

/**
 * The result of `load`. An error inside an installed package is thrown unchanged.
 *
 * @throws ImproperlyConfigured, with the command that installs them, if one of `packages` is not installed
 */
export async function optionalPackage<T>({ what, packages }: OptionalPackages, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!isMissing(cause, packages)) throw cause;
    const names = packages.length === 1 ? `the package ${packages.join()}` : `the packages ${packages.join(' and ')}`;
    throw new ImproperlyConfigured(`${what} need ${names}: npm install ${packages.join(' ')}`, { cause });
  }
}

/** An installed package may lack one of its dependencies: that is another error. */
function isMissing(error: unknown, packages: readonly string[]): boolean {
  if (!(error instanceof Error) || !hasCode(error, ...NOT_FOUND)) return false;
  return packages.some((name) => error.message.includes(`'${name}'`));
}
