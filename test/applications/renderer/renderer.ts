/**
 * What a page renderer such as Next.js does with a custom server: it is given Node's req and res, takes its time, sets
 * headers of its own (Vary among them), begins, streams, and ends. It knows nothing of Koa.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';

export type RequestHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export interface RendererOptions {
  /** Whether it names its headers in `writeHead` or by `setHeader` before. */
  readonly head: 'writeHead' | 'setHeader';
  /** Makes a page of what the server has put on the request. */
  readonly page: (req: IncomingMessage) => string;
}

const VARY = 'RSC, Next-Router-State-Tree, Accept-Encoding';

export function createRenderer({ head, page }: RendererOptions): RequestHandler {
  return async (req, res) => {
    await turn();
    const body = page(req);
    if (head === 'writeHead') {
      res.writeHead(200, { 'Content-Type': 'text/html', Vary: VARY });
    } else {
      res.statusCode = 200;
      res.setHeader('Vary', VARY);
      res.setHeader('Content-Type', 'text/html');
    }
    for (const piece of body.split(/(?<=\s)/)) {
      res.write(piece);
      await turn();
    }
    const finished = once(res, 'finish');
    res.end();
    await finished;
  };
}
