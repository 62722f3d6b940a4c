/** The path of the folder `views/`: beside server/ in the source, one level further up from the build. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const VIEWS = find();

function find(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'views', 'layout.html'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('The folder views/ with layout.html is not part of this installation.');
    folder = parent;
  }
  return join(folder, 'views');
}
