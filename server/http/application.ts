/** Adds members to the requests, responses and contexts of a Koa application. */
import type { Context, ExtendableContext } from 'koa';
import { ImproperlyConfigured } from '../errors.js';

/** A Koa application with any types of state and context. */
export interface Application {
  readonly context: object;
  readonly request: object;
  readonly response: object;
  /** NODE_ENV as Koa takes it. */
  readonly env?: string;
}

/**
 * @param usage the call as it should be, such as `csrf(app, { settings })`
 * @throws ImproperlyConfigured for what is no application
 */
export function checkApplication(app: Application | undefined, usage: string): void {
  if (typeof app?.context === 'object') return;
  throw new ImproperlyConfigured(`${usage.replace(/\(.*/, '()')} needs the Koa application first: ${usage}.`);
}

/**
 * The `ctx` of any middleware or route, whatever the application's types of state and context: what our functions take.
 * Koa's `Context` would be too narrow, because a middleware's `ctx` lacks the members that an application, or a package such
 * as @types/koa-websocket, declares in `interface Context`.
 */
export type AnyContext = ExtendableContext;

/**
 * Django's functions take the request first; ours take Koa's context. After this check our own modules use it as `Context`.
 * @throws ImproperlyConfigured for what is no context, such as the user or nothing
 */
export function checkContext(caller: string, ctx: AnyContext | undefined): asserts ctx is Context {
  if (typeof ctx?.request === 'object') return;
  throw new ImproperlyConfigured(`${caller} needs Koa's \`ctx\` first.`);
}

export interface Members {
  readonly context?: PropertyDescriptorMap;
  readonly request?: PropertyDescriptorMap;
  readonly response?: PropertyDescriptorMap;
}

/**
 * Defines members on an application's prototypes, once: defining them for every request costs a third of Koa's
 * throughput. Call it with `ctx.app` at each request too, because a middleware can run in another application than the
 * one it was created for: below koa-mount, or when it is used twice.
 */
export function memberInstaller({ context = {}, request = {}, response = {} }: Members): (app: Application) => void {
  const installed = new WeakSet<Application>();
  return (app) => {
    if (installed.has(app)) return;
    installed.add(app);
    Object.defineProperties(app.context, context);
    Object.defineProperties(app.request, request);
    Object.defineProperties(app.response, response);
  };
}

type Part = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;
type Delegating = Readonly<Record<'request' | 'response', Part>>;

/** Members of `ctx` that delegate to these members of its request or response, as Koa's own do. */
export function delegates(part: keyof Delegating, members: PropertyDescriptorMap): PropertyDescriptorMap {
  const delegate = (name: string, { get }: PropertyDescriptor): PropertyDescriptor =>
    get === undefined
      ? {
          configurable: true,
          writable: true,
          value(this: Delegating, ...args: readonly unknown[]): unknown {
            return this[part][name]?.(...args);
          },
        }
      : {
          configurable: true,
          get(this: Delegating): unknown {
            return this[part][name];
          },
        };
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, delegate(name, member)]));
}
