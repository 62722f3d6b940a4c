/** The imports of a module, from its syntax tree, so that comments and strings do not count. */
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { parse } from '@babel/parser';

/** Every specifier that a `.js` or `.d.ts` file names: `import`, `export … from`, `import()`, types, `declare module`. */
export function specifiersOf(file: string): ReadonlySet<string> {
  const plugins = file.endsWith('.d.ts') ? [['typescript', { dts: true }] as ['typescript', { dts: boolean }]] : [];
  const { program } = parse(readFileSync(file, 'utf8'), { sourceType: 'module', plugins });
  const found = new Set<string>();
  const waiting: unknown[] = [program];
  for (let node = waiting.pop(); waiting.length > 0 || node !== undefined; node = waiting.pop()) {
    if (typeof node !== 'object' || node === null) continue;
    const specifier = Array.isArray(node) ? undefined : specifierOf(node as Readonly<Record<string, unknown>>);
    if (specifier !== undefined) found.add(specifier);
    waiting.push(...Object.values(node));
  }
  return found;
}

function specifierOf(node: Readonly<Record<string, unknown>>): string | undefined {
  switch (node['type']) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
      return textOf(node['source']);
    case 'CallExpression':
      return typeOf(node['callee']) === 'Import' ? textOf((node['arguments'] as readonly unknown[])[0]) : undefined;
    case 'TSImportType':
      return textOf(node['argument']) ?? textOf((node['argument'] as { literal?: unknown } | undefined)?.literal);
    case 'TSModuleDeclaration':
      return textOf(node['id']);
    case 'TSExternalModuleReference':
      return textOf(node['expression']);
    default:
      return undefined;
  }
}

const typeOf = (node: unknown): unknown => (node as { type?: unknown } | null | undefined)?.type;

function textOf(node: unknown): string | undefined {
  return typeOf(node) === 'StringLiteral' ? String((node as { value?: unknown }).value) : undefined;
}

/** The package of a specifier; undefined for a path and for Node's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || isBuiltin(specifier)) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
