/**
 * Every example compiles: those in the docstrings of what the package exports, and those in the documents. They are
 * checked as modules of one project against the sources, with the names of examples_prelude.d.ts given, and what they take
 * from the package imported for them. Examples of which each line is `expression; // value` are run, too.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, '../..');
const REPORTS = path.join(import.meta.dirname, 'reports');
const DOCUMENTS = ['README', 'LIBRARY', 'ENGINES', 'DJANGO', 'DEPLOYMENT'];

interface Example {
  /** Where it stands, for a message. */
  readonly place: string;
  readonly code: string;
}

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string } | string>>;
};

/** Specifier → the source file that it leads to. */
const sources = new Map(
  Object.entries(manifest.exports).flatMap(([name, target]) =>
    typeof target === 'string'
      ? []
      : [[`koa-django-session${name.slice(1)}`, target.types.replace('./dist/', '').replace('.d.ts', '.ts')] as const],
  ),
);

interface Exported {
  readonly name: string;
  readonly kind: string;
  readonly specifier: string;
}

/** What the reports of the public surface list, each name once, from the front door where it is there. */
const exported = new Map<string, Exported>();
for (const specifier of sources.keys()) {
  const report = specifier.slice('koa-django-session/'.length).replaceAll('/', '.') || 'index';
  const text = readFileSync(path.join(REPORTS, `${report}.api.md`), 'utf8');
  for (const [, kind = '', name = ''] of text.matchAll(
    /^export (?:declare )?(?:abstract )?(function|class|const|interface|type) (\w+)/gm,
  )) {
    if (!exported.has(name)) exported.set(name, { name, kind, specifier });
  }
}

const FENCE = /^```ts\n(.*?)^```$/gms;

function fencesOf(place: string, text: string): Example[] {
  return [...text.matchAll(FENCE)].map(([, code = ''], at) => ({ place: `${place} ${at + 1}`, code }));
}

/** Name → its docstring's text without the stars, of everything that the sources export. */
const docstrings = new Map<string, string>();
const served = path.join(ROOT, 'server');
for (const file of readdirSync(served, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
  const text = readFileSync(path.join(served, file), 'utf8');
  for (const [, doc = '', name = ''] of text.matchAll(
    /^\/\*\*((?:(?!\*\/).)*)\*\/\n(?:\/\/[^\n]*\n)*export (?:async |abstract )?(?:function\*?|class|const) (\w+)/gms,
  )) {
    if (!docstrings.has(name)) docstrings.set(name, doc.replaceAll(/^ \* ?/gm, ''));
  }
}

const called = [...exported.values()].filter(({ kind }) => kind === 'function' || kind === 'class');
const examples: readonly Example[] = [
  ...[...exported.keys()].flatMap((name) => fencesOf(name, docstrings.get(name) ?? '')),
  ...DOCUMENTS.flatMap((name) => fencesOf(`${name}.md`, readFileSync(path.join(ROOT, `${name}.md`), 'utf8'))),
];

/** The example as a module, with imports of what it names and does not import by itself. */
function moduleOf({ code }: Example): string {
  const [body = ''] = [code.replaceAll(/^import [^;]*;$/gm, '')];
  const own = new Set([...code.matchAll(/^import ([^;]*);$/gm)].flatMap(([, names = '']) => names.match(/\w+/g) ?? []));
  const declared = new Set([...body.matchAll(/^(?:const|class|function|interface) (\w+)/gm)].map(([, name]) => name));
  const wanted = [...new Set(body.match(/\b\w+\b/g) ?? [])].flatMap((word) => exported.get(word) ?? []);
  const imports = wanted
    .filter(({ name }) => !own.has(name) && !declared.has(name))
    .map(({ name, specifier }) => `import { ${name} } from '${specifier}';`);
  return `${imports.join(' ')} export {};\n${code}`;
}

/** What tsc has to say about these examples as one project. */
async function faultsOf(project: readonly Example[]): Promise<string[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-examples-'));
  try {
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
    copyFileSync(path.join(import.meta.dirname, 'examples_prelude.d.ts'), path.join(folder, 'prelude.d.ts'));
    for (const example of project) {
      writeFileSync(path.join(folder, `${example.place.replaceAll(/\W+/g, '_')}.ts`), moduleOf(example));
    }
    const paths = Object.fromEntries([...sources].map(([specifier, file]) => [specifier, [path.join(ROOT, file)]]));
    const compilerOptions = {
      noEmit: true,
      declaration: false,
      rootDir: '/',
      noUnusedLocals: false,
      noUnusedParameters: false,
      verbatimModuleSyntax: false,
      paths,
    };
    const config = { extends: path.join(ROOT, 'tsconfig.json'), compilerOptions, include: ['*.ts'], exclude: [] };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    // Its threads would each check the same libraries.
    const options = ['--pretty', 'false', '--singleThreaded', '-p', folder];
    const { stdout } = await run(process.execPath, [tsc, ...options], { cwd: folder }).catch(
      (error: { readonly stdout: string }) => error,
    );
    return stdout.split(/\n(?=\S)/).filter((fault) => fault.trim() !== '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const LINE_WITH_VALUE = /^(?<expression>[^;]+); \/\/ (?<value>(?:['"\d[{]|true$|false$|null$).*)$/;

/** Expression and value of each line, where all lines have both. */
function valuesOf({ code }: Example): { expression: string; value: string }[] {
  const lines = code
    .trim()
    .split('\n')
    .map((line) => LINE_WITH_VALUE.exec(line)?.groups);
  return lines.every((groups) => groups !== undefined) ? (lines as { expression: string; value: string }[]) : [];
}

describe('the examples', () => {
  it('are there for every function and class that is exported', () => {
    const without = called.filter(({ name }) => !docstrings.get(name)?.includes('```ts')).map(({ name }) => name);
    expect(without).to.deep.equal([]);
  });

  it('compile', async () => {
    // A declaration of an application's own types holds for a whole program, so these are one of their own.
    const declaring = examples.filter(({ code }) => code.includes('declare module'));
    const others = examples.filter((example) => !declaring.includes(example));
    expect(declaring.length).to.be.greaterThan(0);
    // One that must fail goes with them, so that what is checked is known to be checked.
    const wrong = { place: 'wrong', code: 'ctx.session.fluhs();\n' };
    const found = [...(await faultsOf([...others, wrong])), ...(await faultsOf(declaring))];
    // With keys declared, the sources do not compile; applications have their declarations alone.
    const faults = found.filter((fault) => !fault.startsWith('..'));
    expect(faults.filter((fault) => fault.startsWith('wrong.ts'))).to.have.length(1);
    expect(faults.filter((fault) => !fault.startsWith('wrong.ts')).join('\n')).to.equal('');
  });

  it('have the values that they name', async () => {
    const library = Object.assign(
      {},
      ...(await Promise.all([...sources.values()].map((file) => import(path.join(ROOT, file))))),
    );
    const named = examples.flatMap(valuesOf);
    expect(named.length).to.be.greaterThan(15);
    for (const { expression, value } of named) {
      const evaluate = (text: string): unknown =>
        new Function(...Object.keys(library), `return (async () => (${text}))();`)(...Object.values(library));
      expect(await evaluate(expression), expression).to.deep.equal(await evaluate(value));
    }
  });
});
