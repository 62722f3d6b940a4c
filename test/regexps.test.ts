/** Every regular expression of the program takes time in proportion to its input, or has a bounded one. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { regexpProblems, regexpsOf } from './support/regexps.js';

const FOLDERS = ['server', 'config', 'migrations'];
const files = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
);

const problemsOf = (code: string): Promise<readonly string[]> => regexpProblems(regexpsOf(code, 'x.ts'), 'x.ts');

describe('regular expressions', () => {
  it('take linear time, all of them', async () => {
    const problems: string[] = [];
    let count = 0;
    for (const file of files) {
      const found = regexpsOf(readFileSync(file, 'utf8'), file);
      count += found.length;
      problems.push(...(await regexpProblems(found, file)));
    }
    expect(problems).to.deep.equal([]);
    expect(count).to.be.greaterThan(50);
  });

  describe('the check', () => {
    for (const code of [
      String.raw`const RANGE = /^\s*([a-z]+)\s*(?:;q=1)?\s*$/i;`,
      String.raw`text.split(/\s*,\s*/);`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code
      "const A = '(a|aa)+'; const B = new RegExp(`^${A}$`, 'u');",
      "text.match('a*a*b');",
    ]) {
      it(`finds ${code}`, async () => {
        const [problem, ...others] = await problemsOf(code);
        expect(problem).to.match(/^x\.ts:1: .* takes .*(?:polynomial|exponential) time\./);
        expect(others).to.deep.equal([]);
      });
    }

    it('finds one that is made of what nobody can check', () => {
      expect(() => regexpsOf('export const find = (name: string) => new RegExp(name);', 'x.ts')).to.throw('x.ts:1');
    });

    it('allows one whose input is bounded, if that is said beside it, and no such words elsewhere', async () => {
      expect(await problemsOf('// Bounded: a name of 150 characters.\nconst A = /a+$/;')).to.deep.equal([]);
      expect(await problemsOf('// Bounded: a name.\nconst A = /a/;')).to.have.lengthOf(1);
    });
  });
});
