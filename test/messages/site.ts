/** A Koa application with messages, and a browser that keeps its cookies. */
import Koa from 'koa';
import type { Clock } from '../../server/clock.js';
import { exceptions } from '../../server/http/exceptions.js';
import { mark_safe, messages } from '../../server/messages/index.js';
import { sessions } from '../../server/session/middleware.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { defineSettings, type GivenSettings, type Settings } from '../../server/settings.js';
import { Client, type ClientResponse } from '../../server/testing/index.js';

/** [level, text, extra_tags, safe], as in vectors.json. */
export type Given = readonly [level: number, text: string, extra_tags: string | null, safe: boolean];

export interface MessageChoices {
  readonly settings?: GivenSettings<Settings>;
  readonly debug?: boolean;
  readonly now?: number;
  /** Called before what the path says. */
  readonly first?: Koa.Middleware;
}

export interface MessageSite {
  readonly app: Koa;
  readonly clock: { readonly now?: Clock };
}

/** POST /add/ adds the messages of its body; /show/ goes through them; /count/ only counts; /session/ tells the session's. */
export function messageSite({ settings: given, debug = false, now, first }: MessageChoices = {}): MessageSite {
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
  return { app, clock };
}

export class MessageBrowser extends Client {
  /** Over https, for cookies with Secure. */
  constructor({ app, clock }: MessageSite) {
    super(app, { ...clock, secure: true, headers: { accept: 'application/json' } });
  }

  ask(path: string, given?: readonly Given[]): Promise<ClientResponse> {
    return given === undefined ? this.get(path) : this.post(path, given, { content_type: 'application/json' });
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
export const messageCookie = ({ set_cookie }: Pick<ClientResponse, 'set_cookie'>): string | undefined =>
  set_cookie.map((line) => line.trim()).find((line) => line.startsWith('messages='));
