/** `POST /lab/`: runs one step, and redirects to the page that shows it. */
import type { Context } from 'koa';
import { DjangoError, StoreUnavailable, SuspiciousOperation } from '../../index.js';
import type { Handler, Site } from '../site.js';
import { claimPath } from './chapters.js';
import { Form, LabRefusal } from './form.js';
import { javascript, python } from './literals.js';
import { mask, NOTEBOOK_COOKIE } from './mask.js';
import { type Bench, NOTHING, type Prepared } from './member.js';
import { memberOf } from './members.js';
import type { Notebooks } from './notebook.js';
import type { Recorder } from './recorder.js';
import type { Outcome } from './step.js';

export const LAB_PATH = '/lab/';
/** The maximum number of fields that the form shows again, and of characters of each. */
const FIELDS = 20;
const FIELD_SHOWN = 500;
/** The maximum characters of a result or a message. */
const SHOWN = 1000;

export function labStep(site: Site, recorder: Recorder, notebooks: Notebooks): Handler {
  return async function labStep(ctx) {
    const { POST } = ctx.request;
    const name = POST.get('do') ?? '';
    const form = new Form(POST);
    if (name === 'start_over') return startOver(ctx, notebooks);
    const member = memberOf(name);
    if (member === undefined) throw new SuspiciousOperation('The field "do" names no step of the lab.');

    const claim = POST.get('claim') ?? '';
    const path = claimPath(claim);
    const notebook = notebooks.find(ctx.request.COOKIES.get(NOTEBOOK_COOKIE)) ?? begin(ctx, notebooks);
    const number = notebook.nextNumber();
    const before = await recorder.row(ctx, ctx.session.session_key);
    const secrets = await recorder.secrets(ctx);
    const { store, codec } = recorder;
    const bench: Bench = { ctx, site, store, codec, tabs: [] };
    let prepared: Prepared | null = null;
    let outcome: Outcome;
    try {
      prepared = member(form);
      outcome = returned(await prepared.run(bench));
    } catch (error) {
      outcome = thrown(error);
    }
    const { accessed, modified, session_key } = ctx.session;
    if (session_key !== null) secrets.push(session_key);
    recorder.later(ctx, {
      notebook,
      before,
      location: `${path ?? LAB_PATH}?step=${number}#${path === null ? 'step' : claim.slice(claim.indexOf('.') + 1)}`,
      draft: {
        number,
        name,
        fields: shownFields(POST),
        claim: path === null ? null : claim,
        code: prepared?.code ?? null,
        outcome: withoutSecrets(outcome, secrets),
        before,
        accessed,
        modified,
        tabs: bench.tabs,
        picture: bench.picture ?? null,
      },
    });
    ctx.set('Cache-Control', 'no-store');
    ctx.status = 303;
    ctx.redirect(LAB_PATH);
  };
}

/** Ends the session and forgets the steps. */
async function startOver(ctx: Context, notebooks: Notebooks): Promise<void> {
  const notebook = notebooks.find(ctx.request.COOKIES.get(NOTEBOOK_COOKIE));
  if (notebook !== undefined) notebooks.forget(notebook);
  await ctx.session.flush();
  ctx.delete_cookie(NOTEBOOK_COOKIE, { path: LAB_PATH });
  ctx.set('Cache-Control', 'no-store');
  ctx.status = 303;
  ctx.redirect(LAB_PATH);
}

function begin(ctx: Context, notebooks: Notebooks): ReturnType<Notebooks['create']> {
  const notebook = notebooks.create();
  // Its path is /lab/, so that no other page gets it.
  ctx.set_cookie(NOTEBOOK_COOKIE, notebook.id, { path: LAB_PATH, httponly: true, samesite: 'Lax' });
  return notebook;
}

function returned(value: unknown): Outcome {
  if (value === NOTHING) return { kind: 'nothing' };
  return { kind: 'returned', python: python(value), javascript: javascript(value) };
}

/** An error is the result of its step, except an unavailable store (503). */
function thrown(error: unknown): Outcome {
  if (error instanceof LabRefusal) return { kind: 'refused', note: error.note };
  if (error instanceof StoreUnavailable) throw error;
  if (error instanceof DjangoError || error instanceof TypeError) {
    return { kind: 'raised', name: error.name, message: error.message };
  }
  throw error;
}

function withoutSecrets(outcome: Outcome, secrets: readonly string[]): Outcome {
  const clean = (text: string): string =>
    secrets.reduce((rest, secret) => rest.replaceAll(secret, mask(secret)), text).slice(0, SHOWN);
  switch (outcome.kind) {
    case 'returned':
      return { ...outcome, python: clean(outcome.python), javascript: clean(outcome.javascript) };
    case 'raised':
      return { ...outcome, message: clean(outcome.message) };
    default:
      return outcome;
  }
}

function shownFields(POST: Context['request']['POST']): Map<string, string> {
  const fields = [...POST.keys()].filter((name) => name !== 'csrfmiddlewaretoken').slice(0, FIELDS);
  return new Map(fields.map((name) => [name, (POST.get(name) ?? '').slice(0, FIELD_SHOWN)]));
}
