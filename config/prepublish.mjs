/** Before `npm publish`: refuses while package.json names no repository, which npm's statement of provenance has to match. */
import { readFileSync } from 'node:fs';

const { repository } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
if (repository === undefined) {
  console.error(
    'Not published: package.json names no repository. Set "repository" to the address of the Git repository that the package is published from.',
  );
  process.exitCode = 1;
}
