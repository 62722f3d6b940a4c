import { expect } from 'chai';
import { addressesOf } from '../../server/db/hosts.js';

const urls = (url: string): readonly string[] => addressesOf('DATABASE_URL', url).urls;

describe('DATABASE_URL of several hosts', () => {
  for (const [url, hosts] of [
    [
      'postgresql://ann:s%2C@h1:5432,h2:5433/db?target_session_attrs=read-write',
      ['postgresql://ann:s%2C@h1:5432/db', 'postgresql://ann:s%2C@h2:5433/db'],
    ],
    [
      'postgres://h1,h2/db?sslmode=require&target_session_attrs=primary&a=b',
      ['postgres://h1/db?sslmode=require&a=b', 'postgres://h2/db?sslmode=require&a=b'],
    ],
    [
      'postgresql://[::1]:1,%2Frun%2Fpg/db?target_session_attrs=read-write',
      ['postgresql://[::1]:1/db', 'postgresql://%2Frun%2Fpg/db'],
    ],
    [
      'postgresql://ann@/db?host=h1,/run/pg&port=1,&target_session_attrs=read-write',
      ['postgresql://ann@/db?host=h1&port=1', 'postgresql://ann@/db?host=%2Frun%2Fpg'],
    ],
    [
      'postgresql:///db?host=h1%2Ch2&port=7&target_session_attrs=read-write',
      ['postgresql:///db?host=h1&port=7', 'postgresql:///db?host=h2&port=7'],
    ],
  ] as const) {
    it(`${url} is a URL for each`, () => {
      expect(urls(url)).to.deep.equal(hosts);
    });
  }

  it('leaves a URL of one host as it is, but for what pg does not know', () => {
    for (const url of [
      'postgresql://ann:pa,ss@h1/db?a=b',
      'socket:/run/pg?db=site',
      'postgresql:///db?host=/run/pg',
      '',
    ]) {
      expect(addressesOf('DATABASE_URL', url)).to.deep.equal({ urls: [url], target_session_attrs: 'any' });
    }
    expect(addressesOf('DATABASE_URL', 'postgresql://h1/db?target_session_attrs=primary&a=b')).to.deep.equal({
      urls: ['postgresql://h1/db?a=b'],
      target_session_attrs: 'primary',
    });
  });
});
