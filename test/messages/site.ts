/** A Koa application with messages, and a browser that keeps its cookies. */
import Koa from 'koa';
import { exceptions } from '../../server/http/exceptions.js';
import { mark_safe, messages } from '../../server/messages/index.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings, type GivenSettings, type Settings } from '../../server/settings.js';
import { type Answer, type Server, serve } from '../http/serve.js';

/** [level, text, extra_tags, safe], as in vectors.json. */
export type Given = readonly [level: number, text: string, extra_tags: string | null, safe: boolean];

export interface MessageSite {
  readonly settings?: GivenSettings<Settings>;
  readonly debug?: boolean;
  readonly now?: number;
  /** Called before what the path says. */
  readonly first?: Koa.Middleware;
}

/** POST /add/ adds the messages of its body; /show/ goes through them; /count/ only counts; /session/ tells the session's. */
export async function messageSite({ settings: given, debug = false, now, first }: MessageSite = {}): Promise<Server> {
  const settings = defineSettings({ SECRET_KEY: 'a key for messages alone', ...given });
  const clock = now === undefined ? {} : { now: () => now };
  const app = new Koa();
  app.use(sessions(app, { settings, store: new MemoryStore(clock), ...clock }));
  app.use(exceptions());
  app.use(messages(app, { settings, debug, ...clock }));
  if (first !== undefined) app.use(first);
  app.use(async (ctx) => {
    switch (ctx.path) {
      case '/add/': {
        const chunks: Buffer[] = [];
        for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
        for (const [level, text, extra_tags, safe] of JSON.parse(Buffer.concat(chunks).toString()) as Given[]) {
          messages.add_message(ctx, level, safe ? mark_safe(text) : text, { extra_tags });
        }
        ctx.body = {};
        return;
      }
      case '/show/':
        ctx.body = [...messages.get_messages(ctx)].map(({ level, message, extra_tags, safe, tags }) => [
          level,
          String(message),
          extra_tags,
          safe,
          tags,
        ]);
        return;
      case '/count/':
        ctx.body = { count: messages.get_messages(ctx).length };
        return;
      case '/session/':
        ctx.body = { messages: ctx.session.get('_messages', null) };
        return;
      default:
        ctx.body = {};
    }
  });
  return serve(app);
}

export class MessageBrowser {
  readonly jar = new Map<string, string>();
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async ask(path: string, given?: readonly Given[]): Promise<Answer> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.#server.ask({
      path,
      method: given === undefined ? 'GET' : 'POST',
      headers: { accept: 'application/json', ...(cookie === '' ? {} : { cookie }) },
      ...(given && { body: JSON.stringify(given) }),
    });
    for (const line of answer.set_cookie) {
      const [name = '', value = ''] = (line.trim().split(';')[0] ?? '').split(/=(.*)/s);
      if (/max-age=0/i.test(line)) this.jar.delete(name);
      else this.jar.set(name, value);
    }
    return answer;
  }

  /** What a page shows, which uses it up. */
  async shown(): Promise<unknown[]> {
    return JSON.parse((await this.ask('/show/')).text) as unknown[];
  }

  /** The message texts of a page. */
  async texts(): Promise<unknown[]> {
    return (await this.shown()).map((message) => (message as unknown[])[1]);
  }
}

/** What an answer says of the cookie `messages`. */
export const messageCookie = ({ set_cookie }: Answer): string | undefined =>
  set_cookie.map((line) => line.trim()).find((line) => line.startsWith('messages='));
