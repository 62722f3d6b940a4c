/** The types of the lab's buttons. */
import type { Context } from 'koa';
import type { SessionCodec, SessionStore } from '../../index.js';
import type { Site } from '../site.js';
import type { Form } from './form.js';
import { javascript, python } from './literals.js';
import type { Code, TabLine } from './step.js';

/** The context of a running step. */
export interface Bench {
  readonly ctx: Context;
  readonly site: Site;
  readonly store: SessionStore;
  readonly codec: SessionCodec;
  /** The lines of a step with two tabs. */
  readonly tabs: TabLine[];
  /** A picture to show, as a `data:` URL. */
  picture?: string;
}

/** The result of a method that returns None in Python and undefined in JavaScript. */
export const NOTHING = Symbol('nothing');

export interface Prepared {
  /** null for a step with two tabs, which is more than one call. */
  readonly code: Code | null;
  readonly run: (bench: Bench) => unknown;
}

/** @throws LabRefusal for an invalid field */
export type Member = (form: Form) => Prepared;

type Arguments = readonly unknown[];
const list = (values: Arguments, print: (value: unknown) => string): string => values.map(print).join(', ');

/** A synchronous method with the same name and arguments in Django and Koa. */
export function method(name: string, args: Arguments, run: (bench: Bench) => unknown): Prepared {
  return {
    code: {
      django: `request.session.${name}(${list(args, python)})`,
      koa: `ctx.session.${name}(${list(args, javascript)})`,
    },
    run,
  };
}

/** As `method`, for one that uses the store and returns a promise. */
export function awaited(name: string, args: Arguments, run: (bench: Bench) => unknown): Prepared {
  const { code } = method(name, args, run);
  return { code: { django: code?.django ?? '', koa: `await ${code?.koa}` }, run };
}

/** A member without fields. */
export const plain =
  (prepared: Prepared): Member =>
  () =>
    prepared;

export async function nothing(done: unknown): Promise<typeof NOTHING> {
  await done;
  return NOTHING;
}
