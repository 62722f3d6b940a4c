/** `/static/…`: stylesheet, icon and the login page's scripts, with no session and no query. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Middleware } from 'koa';
import serve from 'koa-static';
import { VIEWS } from './views_folder.js';

const FOLDER = join(VIEWS, 'static');
const PREFIX = '/static';
const LONGEST_PATH = 255;
/** SHA-256 for the login page's task, as its package brings it: ES modules that browsers take as they are. */
const HASHES = dirname(fileURLToPath(import.meta.resolve('@noble/hashes/sha2.js')));
const HASHES_PREFIX = `${PREFIX}/noble/`;
const HASH_FILES: ReadonlySet<string> = new Set(['/sha2.js', '/_md.js', '/_u64.js', '/utils.js']);
const YEAR = 365 * 24 * 60 * 60;

/** Address of a file in views/static/ that changes when its bytes do, so that browsers may keep it. */
export function staticAddress(name: string): string {
  const hash = createHash('sha256').update(readFileSync(join(FOLDER, name)));
  return `${PREFIX}/${name}?v=${hash.digest('hex').slice(0, 12)}`;
}

/** Serves GET and HEAD below `/static/`; kept for a year where the address names a version, otherwise asked anew. */
export function staticFiles(): Middleware {
  const files = serve(FOLDER, { index: false });
  const hashes = serve(HASHES, { index: false });
  return async function staticFiles(ctx, next) {
    if (!ctx.path.startsWith(`${PREFIX}/`)) return next();
    const { path } = ctx;
    // No file has such a name, and path.normalize takes quadratic time over `../../…`.
    if (path.length > LONGEST_PATH) return;
    // koa-static knows no prefix; with the folder above as its root it would serve the templates too.
    ctx.path = path.slice(PREFIX.length);
    try {
      const isHash = path.startsWith(HASHES_PREFIX);
      if (isHash) ctx.path = path.slice(HASHES_PREFIX.length - 1);
      if (!isHash || HASH_FILES.has(ctx.path)) await (isHash ? hashes : files)(ctx, async () => {});
    } finally {
      ctx.path = path;
    }
    if (ctx.status !== 200) return;
    // A worker obeys the policy that it came with: this one imports a script.
    if (path.endsWith('.js')) ctx.set('Content-Security-Policy', "default-src 'none'; script-src 'self'");
    ctx.set('Cache-Control', ctx.querystring.startsWith('v=') ? `public, max-age=${YEAR}, immutable` : 'no-cache');
    if (ctx.fresh) ctx.status = 304;
  };
}
