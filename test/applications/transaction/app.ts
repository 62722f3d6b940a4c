/** Work on sessions and the application's own rows that is done wholly or not at all: a store on a transaction. */
import type { Knex } from 'knex';
import { defineSettings, Session, SessionCodec, systemClock } from 'koa-django-session';
import { DatabaseStore } from 'koa-django-session/stores/db';

export const settings = defineSettings({ SECRET_KEY: 'transaction' });
const codec = new SessionCodec(settings, { now: systemClock });

/** Another session of the same table, read through whatever connection is given. */
export async function openSession(knex: Knex, session_key: string | null = null): Promise<Session> {
  const session = new Session({ store: new DatabaseStore(knex), codec, settings }, session_key);
  await session.load();
  return session;
}

/** Move a cart from one visitor to another. Nobody's is lost when `check` refuses. */
export async function moveCart(
  knex: Knex,
  { from, to }: { readonly from: string; readonly to: string },
  check: (cart: unknown) => void,
): Promise<void> {
  await knex.transaction(async (trx) => {
    const giver = await openSession(trx, from);
    const taker = await openSession(trx, to);
    const cart = giver.pop('cart');
    taker.set('cart', cart);
    await giver.save();
    await taker.save();
    check(cart);
  });
}
