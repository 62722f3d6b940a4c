/** The queues for work that may wait for locks: of one kind half of the pool, of all kinds together all but two. */
import type { Knex } from 'knex';
import { configOf } from '../undocumented/knex.js';
import { Queue } from './queue.js';

/** The maximum number of connections of a pool. */
export const poolSize = (knex: Knex): number => configOf(knex).pool?.max ?? 10;

/** Connections that one kind of work may use, so that a locked table does not block statements on other tables. */
const shareOf = (knex: Knex): number => Math.max(1, Math.floor(poolSize(knex) / 2));

const allOf = new WeakMap<Knex, Queue>();

/**
 * What all kinds may use together, so that two locked tables do not block what waits for no lock. More than one kind's
 * share: inside `atomic`, a statement of another kind must get a connection while the first kind holds all of its own.
 */
function allKinds(knex: Knex): Queue {
  const queue = allOf.get(knex) ?? new Queue(Math.max(shareOf(knex) + 1, poolSize(knex) - 2));
  allOf.set(knex, queue);
  return queue;
}

/** A queue for one kind of work. @param connections half of the pool when absent */
export function lockQueue(knex: Knex, connections = shareOf(knex)): Queue {
  return new Queue(connections, allKinds(knex));
}
