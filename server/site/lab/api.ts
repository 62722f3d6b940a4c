/** `POST /lab/api/`: operations on the session as JSON, for machines. */
import { jsonBody, printJson } from '../../index.js';
import type { Handler, Site } from '../site.js';
import { readOps, runOps, stateOf } from './ops.js';

/** `{"ops": [["set", "k", 1], …]}` → `{"results": […], "state": {…}}`, as Python prints JSON. */
export function labApi(site: Site): Handler {
  return async function labApi(ctx) {
    const ops = readOps(await jsonBody(ctx, site.settings));
    const results = await runOps(ctx.session, ops);
    ctx.set('Cache-Control', 'no-store');
    ctx.type = 'json';
    ctx.body = printJson({ results, state: stateOf(ctx.session) });
  };
}
