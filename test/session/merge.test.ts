import { expect } from 'chai';
import { UpdateError } from '../../server/errors.js';
import { mergeMembers } from '../../server/session/merge.js';

const texts = (members: Record<string, string>): Map<string, string> => new Map(Object.entries(members));
const merge = (base: Record<string, string>, mine: Record<string, string>, theirs: Record<string, string>): object =>
  Object.fromEntries(mergeMembers(texts(base), texts(mine), texts(theirs)));

describe('merging two changes of one session', () => {
  it('keeps what each side added', () => {
    expect(merge({ a: '1' }, { a: '1', b: '2' }, { a: '1', c: '3' })).to.deep.equal({ a: '1', c: '3', b: '2' });
  });

  it('keeps what each side changed', () => {
    expect(merge({ a: '1', b: '1' }, { a: '2', b: '1' }, { a: '1', b: '2' })).to.deep.equal({ a: '2', b: '2' });
  });

  it('does not bring back what either side removed', () => {
    expect(merge({ a: '1', b: '1' }, { b: '1' }, { a: '1' })).to.deep.equal({});
  });

  it('takes mine where both changed the same key', () => {
    expect(merge({ a: '1' }, { a: '2' }, { a: '3' })).to.deep.equal({ a: '2' });
    expect(merge({ a: '1' }, { a: '2' }, {})).to.deep.equal({ a: '2' });
    expect(merge({ a: '1' }, {}, { a: '3' })).to.deep.equal({});
  });

  it('keeps their order and adds mine behind', () => {
    const merged = mergeMembers(texts({}), texts({ z: '1', a: '2' }), texts({ m: '3' }));
    expect([...merged.keys()]).to.deep.equal(['m', 'z', 'a']);
  });

  it('refuses when both sides logged different users in', () => {
    expect(() => merge({}, { _auth_user_id: '"1"' }, { _auth_user_id: '"2"' })).to.throw(UpdateError);
    expect(() => merge({ _auth_user_id: '"1"' }, {}, { _auth_user_id: '"2"' })).to.throw(UpdateError);
  });

  it('takes a login of one side along', () => {
    expect(merge({ n: '1' }, { n: '2' }, { n: '1', _auth_user_id: '"2"' })).to.deep.equal({
      n: '2',
      _auth_user_id: '"2"',
    });
  });
});
