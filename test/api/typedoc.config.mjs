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
  // Types of parts: parameters and members have them, and nobody has to name them.
  intentionallyNotExported: [
    'Add',
    'Answer',
    'AnyItems',
    'BatcherOptions',
    'CodecOptions',
    'CodecSettings',
    'CurrentSession',
    'Deadline',
    'DeclaredItems',
    'ExpirySettings',
    'DjangoErrorOptions',
    'Document',
    'Inspect',
    'KeySettings',
    'KeyType',
    'LoginCaptcha',
    'LoginData',
    'MIGRATIONS',
    'MemberTexts',
    'PayloadSettings',
    'Permissions',
    'SessionSettings',
    'Stray',
    'Unreadable',
    'UserColumn',
    'UserId',
    'UserSessionsSettings',
    'UserTablePart',
    'Verification',
    'VerifiedTexts',
  ],
};
