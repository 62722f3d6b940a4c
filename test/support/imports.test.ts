import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { packageOf, specifiersOf } from './imports.js';

describe('the reader of imports', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'imports-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function read(name: string, code: string): string[] {
    const file = path.join(folder, name);
    writeFileSync(file, code);
    return [...specifiersOf(file)].sort();
  }

  it('finds every form, and none in comments and texts', () => {
    const code = `import 'a'; import { b } from 'b'; export * from 'c'; export { d } from 'd';
      // import 'no';
      const text = "import 'not'"; const late = () => import('e');`;
    expect(read('code.js', code)).to.deep.equal(['a', 'b', 'c', 'd', 'e']);
  });

  it('finds the types too', () => {
    const code = `import type { A } from 'a'; export declare const b: import('b').B; declare module 'c' { interface C {} }`;
    expect(read('types.d.ts', code)).to.deep.equal(['a', 'b', 'c']);
  });

  it("tells a package from a path and from Node's own", () => {
    const names = ['./a.js', '../b.js', 'node:fs', 'fs', 'koa', '@koa/router/lib', 'koa/lib/x.js'].map(packageOf);
    expect(names).to.deep.equal([undefined, undefined, undefined, undefined, 'koa', '@koa/router', 'koa']);
  });
});
