/** The steps of each browser in the lab. In this process's memory, because the lab runs only in development, in one process. */
import { randomBytes } from 'node:crypto';
import type { Step } from './step.js';

/** The maximum number of browsers, and of steps of each. */
const BROWSERS = 40;
const STEPS = 16;
const ID = /^[\w-]{22}$/;

export class Notebook {
  readonly id = randomBytes(16).toString('base64url');
  #count = 0;
  #steps: readonly Step[] = [];

  /** The latest steps, oldest first. */
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
  /** By id, the least recently used first. */
  readonly #all = new Map<string, Notebook>();

  /** undefined for an unknown or forgotten id. */
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
