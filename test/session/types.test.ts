/** What TypeScript users may write to a session; this file is proved by `tsc`, and what it says of names by running. */
import { expect } from 'chai';
import { SessionCodec } from '../../server/session/codec.js';
import { withItemAccess } from '../../server/session/item_access.js';
import { meant } from '../../server/session/misspelling.js';
import { Session } from '../../server/session/session.js';
import { MemoryStore } from '../../server/session/stores/memory.js';
import { settings } from '../http/serve.js';

/** Compiles only where the types are the same, `any` excluded. */
function same<A, B>(..._: (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? [] : [never]): void {}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];

/** Every text that is this word with one letter wrong, missing, too many, or swapped with the next. */
function oneOff(word: string): Set<string> {
  const found = new Set<string>();
  for (let at = 0; at <= word.length; at += 1) {
    const [before, after] = [word.slice(0, at), word.slice(at)];
    for (const letter of LETTERS) found.add(before + letter + after).add(before + letter + after.slice(1));
    found.add(before + after.slice(1));
    found.add(before + after.slice(1, 2) + after.slice(0, 1) + after.slice(2));
  }
  found.delete(word);
  return found;
}

describe('the type of a session', () => {
  it('takes items and its own fields, and no misspelling of them', () => {
    const given = settings();
    const session = withItemAccess(
      new Session({ store: new MemoryStore(), codec: new SessionCodec(given), settings: given }),
    );
    session['cart'] = [{ id: 1 }];
    session['modified_at'] = '2026-01-01';
    session['modifiedAt'] = 1;
    session['accessed_by'] = 1;
    session['notified'] = true;
    session['visits'] = Number(session.get('visits', 0)) + 1;
    delete session['visits'];
    session.modified = true;
    session.accessed = true;
    same<Session['cart'], unknown>();
    same<Session['modified'], boolean>();
    same<Session['session_key'], string | null>();
    const record: Record<string, unknown> = session;
    expect(record['cart']).to.deep.equal([{ id: 1 }]);

    const slips = [
      // @ts-expect-error: a letter is missing
      () => (session.modifed = true),
      // @ts-expect-error: by item access, too
      () => (session['modifed'] = true),
      // @ts-expect-error: swapped
      () => (session.modifeid = true),
      // @ts-expect-error: wrong
      () => (session.modyfied = true),
      // @ts-expect-error: too many
      () => (session.modiffied = true),
      // The one slip that the compiler cannot tell from the beginning of `modified`.
      () => (session['modifie'] = true),
      // @ts-expect-error: at the end
      () => (session.modifiedd = true),
      // @ts-expect-error: at the beginning
      () => (session.nodified = true),
      // @ts-expect-error: at the beginning
      () => (session.odified = true),
      // @ts-expect-error: a letter is missing
      () => (session.acessed = true),
      // @ts-expect-error: a letter is missing
      () => (session.accesed = true),
      // @ts-expect-error: swapped
      () => (session.accessde = true),
      // @ts-expect-error: wrong
      () => (session.axcessed = true),
    ];
    same<Session['modifed'], never>();
    same<Session['accesed'], never>();
    for (const slip of slips) expect(slip, String(slip)).to.throw(/nearly session\./);

    const calls = [
      // @ts-expect-error: there is no such method
      () => session.falsh(),
      // @ts-expect-error: nor this one
      () => session.cycle_keys(),
      // @ts-expect-error: read only
      () => (session.session_key = 'a'),
      // @ts-expect-error: a boolean
      () => (session.modified = 'yes'),
    ];
    for (const call of calls.slice(0, 3)) expect(call, String(call)).to.throw(Error);
  });

  it('and the running program know the same slips: one letter wrong, missing, too many, or swapped', () => {
    for (const right of ['modified', 'accessed'] as const) {
      const slips = oneOff(right);
      expect(slips.size).to.be.above(400);
      for (const slip of slips) expect(meant(slip), slip).to.equal(right);
      expect(meant(right.toUpperCase())).to.equal(right);
    }
    for (const key of [
      '',
      'a',
      'cart',
      'modify',
      'notified',
      'assessed',
      'modified_at',
      'accessory',
      'x'.repeat(1e6),
    ]) {
      expect(meant(key), key.slice(0, 20)).to.equal(undefined);
    }
  });
});
