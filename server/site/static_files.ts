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
/** Outside of FOLDER, so that a server without the lab does not serve them. */
const LAB_FOLDER = join(VIEWS, 'lab', 'static');
const LAB_PREFIX = `${PREFIX}/lab/`;
const LONGEST_PATH = 255;
/** SHA-256 for the login page's task: the package's ES modules, served unchanged. */
const HASHES = dirname(fileURLToPath(import.meta.resolve('@noble/hashes/sha2.js')));
const HASHES_PREFIX = `${PREFIX}/noble/`;
const HASH_FILES: ReadonlySet<string> = new Set(['/sha2.js', '/_md.js', '/_u64.js', '/utils.js']);
const YEAR = 365 * 24 * 60 * 60;

/** The URL of a file in views/static/. It changes with the content, so that browsers can cache it. */
export const staticAddress = (name: string): string => address(FOLDER, `${PREFIX}/`, name);

/** As `staticAddress`, of a file in views/lab/static/. */
export const labAddress = (name: string): string => address(LAB_FOLDER, LAB_PREFIX, name);

function address(folder: string, prefix: string, name: string): string {
  const hash = createHash('sha256').update(readFileSync(join(folder, name)));
  return `${prefix}${name}?v=${hash.digest('hex').slice(0, 12)}`;
}

/**
 * Serves GET and HEAD below `/static/`; cached for a year if the URL has a version, otherwise revalidated. The lab's
 * files are served only with `lab`.
 */
export function staticFiles({ lab }: { readonly lab: boolean }): Middleware {
  const files = serve(FOLDER, { index: false });
  const labFiles = serve(LAB_FOLDER, { index: false });
  const hashes = serve(HASHES, { index: false });
  return async function staticFiles(ctx, next) {
    if (!ctx.path.startsWith(`${PREFIX}/`)) return next();
    const { path } = ctx;
    // No file has such a long name, and path.normalize takes quadratic time for `../../…`.
    if (path.length > LONGEST_PATH) return;
    // koa-static has no prefix option; with the parent folder as its root it would serve the templates too.
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
    // A worker has the policy of its own response: this one imports a script.
    if (path.endsWith('.js')) ctx.set('Content-Security-Policy', "default-src 'none'; script-src 'self'");
    ctx.set('Cache-Control', ctx.querystring.startsWith('v=') ? `public, max-age=${YEAR}, immutable` : 'no-cache');
    if (ctx.fresh) ctx.status = 304;
  };
}
