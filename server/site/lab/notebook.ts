/** The steps that a browser has made in the lab, in this process's memory: the lab is for development, on one process. */
import { randomBytes } from 'node:crypto';
import type { Step } from './step.js';

/** Browsers that are remembered, and steps of each. */
const BROWSERS = 40;
const STEPS = 16;
const ID = /^[\w-]{22}$/;

export class Notebook {
  readonly id = randomBytes(16).toString('base64url');
  #count = 0;
  #steps: readonly Step[] = [];

  /** The latest ones, oldest first. */
  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** The number of a step that has begun. */
  nextNumber(): number {
    this.#count += 1;
    return this.#count;
  }

  add(step: Step): void {
    this.#steps = [...this.#steps, step].sort((one, other) => one.number - other.number).slice(-STEPS);
  }

  step(number: number): Step | undefined {
    return this.#steps.find((step) => step.number === number);
  }
}

export class Notebooks {
  /** By id, the one used longest ago first. */
  readonly #all = new Map<string, Notebook>();

  /** undefined for an id that is none of ours, or was forgotten. */
  find(id: string | undefined): Notebook | undefined {
    const notebook = id !== undefined && ID.test(id) ? this.#all.get(id) : undefined;
    if (notebook !== undefined) this.#use(notebook);
    return notebook;
  }

  create(): Notebook {
    const notebook = new Notebook();
    this.#use(notebook);
    const [oldest] = this.#all.keys();
    if (this.#all.size > BROWSERS && oldest !== undefined) this.#all.delete(oldest);
    return notebook;
  }

  forget({ id }: Notebook): void {
    this.#all.delete(id);
  }

  #use(notebook: Notebook): void {
    this.#all.delete(notebook.id);
    this.#all.set(notebook.id, notebook);
  }
}
