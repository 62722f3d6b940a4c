/** What a button of the lab is made of. */
import type { Context } from 'koa';
import type { SessionCodec, SessionStore } from '../../index.js';
import type { Site } from '../site.js';
import type { Form } from './form.js';
import { javascript, python } from './literals.js';
import type { Code, TabLine } from './step.js';

/** What a step may use and fill while it runs. */
export interface Bench {
  readonly ctx: Context;
  readonly site: Site;
  readonly store: SessionStore;
  readonly codec: SessionCodec;
  /** The story of two tabs, where the step tells one. */
  readonly tabs: TabLine[];
  /** A picture to show, as a data: address. */
  picture?: string;
}

/** Where a member returns this, Python answers None and JavaScript nothing. */
export const NOTHING = Symbol('nothing');

export interface Prepared {
  /** null where the step is a story instead of a call. */
  readonly code: Code | null;
  readonly run: (bench: Bench) => unknown;
}

/** @throws LabRefusal for a field that is no use */
export type Member = (form: Form) => Prepared;

type Arguments = readonly unknown[];
const list = (values: Arguments, print: (value: unknown) => string): string => values.map(print).join(', ');

/** A method that both have under one name, with the same arguments. */
export function method(name: string, args: Arguments, run: (bench: Bench) => unknown): Prepared {
  return {
    code: {
      django: `request.session.${name}(${list(args, python)})`,
      koa: `ctx.session.${name}(${list(args, javascript)})`,
    },
    run,
  };
}

/** As `method`, of what touches the store and returns a promise. */
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
