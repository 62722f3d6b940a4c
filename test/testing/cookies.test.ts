/** The cookies of a test client: which are kept, and where they are sent. */
import { expect } from 'chai';
import { ClientCookies, testClock } from '../../server/testing/index.js';
import { NOW } from '../http/serve.js';

describe("a test client's cookies", () => {
  const clock = testClock(NOW);
  let cookies: ClientCookies;
  beforeEach(() => {
    clock.now = NOW;
    cookies = new ClientCookies(clock);
  });
  const sent = (path: string, secure = false): string => cookies.header(path, secure);

  it('are sent to their Path and what is below', () => {
    cookies.take('a=1; Path=/', '/');
    cookies.take('b=2; Path=/shop', '/');
    cookies.take('c=3', '/shop/cart/add');
    expect(sent('/')).to.equal('a=1');
    expect(sent('/shop')).to.equal('b=2; a=1');
    expect(sent('/shopping')).to.equal('a=1');
    expect(sent('/shop/cart')).to.equal('c=3; b=2; a=1');
    expect([...cookies]).to.deep.equal([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ]);
  });

  it('with Secure are sent over https alone', () => {
    cookies.take('a=1; Path=/; Secure', '/');
    expect([sent('/'), sent('/', true)]).to.deep.equal(['', 'a=1']);
  });

  it('end when Max-Age or expires says so, Max-Age first, and with a deletion', () => {
    cookies.take('a=1; Max-Age=60; Path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT', '/');
    cookies.take(`b=2; Path=/; expires=${new Date((NOW + 30) * 1000).toUTCString()}`, '/');
    cookies.take('c=3; Path=/', '/');
    expect(cookies.keys()).to.deep.equal(['a', 'b', 'c']);
    clock.advance(30);
    expect(cookies.keys()).to.deep.equal(['a', 'c']);
    clock.advance(30);
    expect([cookies.keys(), cookies.size]).to.deep.equal([['c'], 1]);
    cookies.take('c=""; Max-Age=0; Path=/', '/');
    expect(sent('/')).to.equal('');
  });

  it('are replaced by name and path, and found by both', () => {
    cookies.set('a', '1').set('a', '2', '/shop').set('a', '3');
    expect([cookies.get('a'), cookies.get('a', '/shop'), cookies.get('a', '/blog')]).to.deep.equal([
      '3',
      '2',
      undefined,
    ]);
    expect(cookies.delete('a', '/')).to.equal(true);
    expect([sent('/shop'), cookies.has('a')]).to.deep.equal(['a=2', true]);
    expect([cookies.delete('a'), cookies.delete('a')]).to.deep.equal([true, false]);
    cookies.set('b', '1').clear();
    expect(cookies.size).to.equal(0);
  });

  it('are none without an equals sign', () => {
    cookies.take('nameless; Path=/', '/');
    expect(cookies.size).to.equal(0);
  });

  it('keep a value as it was sent', () => {
    cookies.take('messages="a=b\\073 c"; Path=/', '/');
    expect(sent('/')).to.equal('messages="a=b\\073 c"');
  });
});
