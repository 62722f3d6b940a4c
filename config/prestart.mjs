/** Before `npm start`: builds where TypeScript is installed. A production install has none and brings its build along. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

function hasTypeScript() {
  try {
    createRequire(import.meta.url).resolve('typescript/package.json');
    return true;
  } catch {
    return false;
  }
}

if (hasTypeScript()) {
  const npm = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit', shell: process.platform === 'win32' });
  process.exitCode = npm.status ?? 1;
} else if (!existsSync(new URL('../dist/server/main.js', import.meta.url))) {
  console.error(
    'There is no build in dist/, and TypeScript, which makes it, is not installed here. Build before the development packages go: npm ci && npm run build && npm prune --omit=dev',
  );
  process.exitCode = 1;
}
