/** Finds files that are not compiled. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of a file, from the root of the repository or package, which is further up from the build in dist/. */
export function installedFile(...parts: readonly string[]): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, ...parts);
    if (existsSync(file)) return file;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`The file ${parts.join('/')} is not part of this installation.`);
    folder = parent;
  }
}
