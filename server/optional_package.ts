/** Packages that few applications need: installed by those that do, imported when they are first used. */
import { hasCode } from './error_code.js';
import { ImproperlyConfigured } from './errors.js';

/** What Node's module loaders say of a package that is not there. */
const NOT_FOUND: readonly string[] = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

export interface OptionalPackages {
  /** The subject of the sentence, in the plural: `Passwords hashed by Argon2`. */
  readonly what: string;
  readonly packages: readonly string[];
}

/**
 * What `load` imports. A fault inside of a package that is installed is thrown as it is.
 *
 * @throws ImproperlyConfigured, with the command that installs them, when one of `packages` is not installed
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

/** A package may itself lack one of its own: that is another fault. */
function isMissing(error: unknown, packages: readonly string[]): boolean {
  if (!(error instanceof Error) || !hasCode(error, ...NOT_FOUND)) return false;
  return packages.some((name) => error.message.includes(`'${name}'`));
}
