/** knex's maker in every release: before knex 3, TypeScript and Node disagree about what `import` finds under `default`. */
import { createRequire } from 'node:module';
import type { Knex } from 'knex';

const loaded = createRequire(import.meta.url)('knex') as { readonly knex: (config: Knex.Config) => Knex };

export const makeKnex = loaded.knex;
