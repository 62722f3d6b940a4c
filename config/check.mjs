/** `npm run check`: runs the checks in parallel, one per core, and prints the output of those that fail. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** Scripts of package.json, the longest first, so that none of them runs alone at the end. */
const waiting = ['typecheck', 'api:report', 'api:package', 'api:docs', 'check:rules', 'lint', 'format:check'];

async function check(script) {
  const began = performance.now();
  const child = spawn('npm', ['run', '--silent', script], { shell: process.platform === 'win32' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'passed' : 'FAILED'}  ${script} (${seconds} s)`);
  if (code === 0) return;
  console.log(output.trimEnd());
  process.exitCode = 1;
}

async function worker() {
  for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) await check(script);
}

await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
