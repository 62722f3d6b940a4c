/** The reference: a page for everything that an export of package.json gives, and a warning for what has no docstring. */
import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const entryPoints = Object.values(exports).flatMap(({ types }) =>
  types === undefined ? [] : [types.replace('./dist/', '../../').replace('.d.ts', '.ts')],
);

export default {
  name: 'koa-django-session',
  tsconfig: 'tsconfig.json',
  entryPoints,
  out: '../../api',
  readme: '../../LIBRARY.md',
  excludeInternal: true,
  excludePrivate: true,
  // tsc does it.
  skipErrorChecking: true,
  treatWarningsAsErrors: true,
  requiredToBeDocumented: ['Function', 'Class', 'Interface', 'TypeAlias', 'Variable', 'Enum'],
  validation: { notExported: true, invalidLink: true, notDocumented: true, rewrittenLink: true },
  disableSources: true,
  // Types of parts that an application never has to name: it passes on what it was given, or a literal.
  intentionallyNotExported: [
    'Add',
    'Answer',
    'AnyItems',
    'BatcherOptions',
    'CurrentSession',
    'DeclaredItems',
    'Document',
    'Inspect',
    'KeyType',
    'LoginData',
    'MIGRATIONS',
    'PayloadSettings',
    'Permissions',
    'UserId',
    'VerifiedTexts',
  ],
};
