/** `/static/…`: stylesheets, icon and scripts, with no session and no query. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Middleware } from 'koa';
import serve from 'koa-static';
import { VIEWS } from './views_folder.js';

const FOLDER = join(VIEWS, 'static');
const PREFIX = '/static';
/** Outside of FOLDER, so that a server without the lab has no address that leads to them. */
const LAB_FOLDER = join(VIEWS, 'lab', 'static');
const LAB_PREFIX = `${PREFIX}/lab/`;
const LONGEST_PATH = 255;
/** SHA-256 for the login page's task, as its package brings it: ES modules that browsers take as they are. */
const HASHES = dirname(fileURLToPath(import.meta.resolve('@noble/hashes/sha2.js')));
const HASHES_PREFIX = `${PREFIX}/noble/`;
const HASH_FILES: ReadonlySet<string> = new Set(['/sha2.js', '/_md.js', '/_u64.js', '/utils.js']);
const YEAR = 365 * 24 * 60 * 60;

/** Address of a file in views/static/ that changes when its bytes do, so that browsers may keep it. */
export const staticAddress = (name: string): string => address(FOLDER, `${PREFIX}/`, name);

/** As `staticAddress`, of a file in views/lab/static/. */
export const labAddress = (name: string): string => address(LAB_FOLDER, LAB_PREFIX, name);

function address(folder: string, prefix: string, name: string): string {
  const hash = createHash('sha256').update(readFileSync(join(folder, name)));
  return `${prefix}${name}?v=${hash.digest('hex').slice(0, 12)}`;
}

/**
 * Serves GET and HEAD below `/static/`; kept for a year where the address names a version, otherwise asked anew.
 * The lab's files are there with `lab` only.
 */
export function staticFiles({ lab }: { readonly lab: boolean }): Middleware {
  const files = serve(FOLDER, { index: false });
  const labFiles = serve(LAB_FOLDER, { index: false });
  const hashes = serve(HASHES, { index: false });
  return async function staticFiles(ctx, next) {
    if (!ctx.path.startsWith(`${PREFIX}/`)) return next();
    const { path } = ctx;
    // No file has such a name, and path.normalize takes quadratic time over `../../…`.
    if (path.length > LONGEST_PATH) return;
    // koa-static knows no prefix; with the folder above as its root it would serve the templates too.
    ctx.path = path.slice(PREFIX.length);
    try {
      if (path.startsWith(HASHES_PREFIX)) {
        ctx.path = path.slice(HASHES_PREFIX.length - 1);
        if (HASH_FILES.has(ctx.path)) await hashes(ctx, async () => {});
      } else if (lab && path.startsWith(LAB_PREFIX)) {
        ctx.path = path.slice(LAB_PREFIX.length - 1);
        await labFiles(ctx, async () => {});
      } else {
        await files(ctx, async () => {});
      }
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
