/** CACHE_URL as it is written here and by the caches of Django, and what is refused of it before anything is opened. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ImproperlyConfigured } from '../../server/errors.js';
import { RedisConnection } from '../../server/redis/connection.js';
import { type CacheUrl, readCacheUrl } from '../../server/settings/cache_url.js';
import { defineSettings } from '../../server/settings.js';
import { reasonOf } from '../support/reason.js';

const single = (changes: Partial<CacheUrl> = {}): CacheUrl => ({
  kind: 'single',
  servers: [{ host: 'cache', port: 6379 }],
  master: '',
  database: 0,
  account: {},
  sentinelAccount: {},
  tls: null,
  ...changes,
});
const sentinels: CacheUrl = single({
  kind: 'sentinel',
  servers: [
    { host: 's1', port: 26_379 },
    { host: 's2', port: 26_380 },
  ],
  master: 'mymaster',
  database: 2,
});
const nodes: CacheUrl = single({
  kind: 'cluster',
  servers: [
    { host: 'h1', port: 6379 },
    { host: '::1', port: 7001 },
    { host: 'h3', port: 7002 },
  ],
});
const password = 'p@ss:w/rd, ü';
const encoded = encodeURIComponent(password);
const ann = { username: 'ann', password };

const refusal = (url: string): string => {
  try {
    readCacheUrl(url);
  } catch (error) {
    expect(error).to.be.instanceOf(ImproperlyConfigured);
    return (error as Error).message;
  }
  return '';
};

describe('CACHE_URL', () => {
  const readable: Readonly<Record<string, CacheUrl>> = {
    'redis://cache': single(),
    'REDIS://cache:6380/3': single({ servers: [{ host: 'cache', port: 6380 }], database: 3 }),
    'redis://cache?db=3': single({ database: 3 }),
    'redis:///1': single({ servers: [{ host: 'localhost', port: 6379 }], database: 1 }),
    'redis://[2001:db8::7]:6380': single({ servers: [{ host: '2001:db8::7', port: 6380 }] }),
    [`redis://ann:${encoded}@cache/0`]: single({ account: ann }),
    [`redis://:${encoded}@cache/0`]: single({ account: { password } }),
    'redis://:a,b@cache': single({ account: { password: 'a,b' } }),
    'redis://ann:@cache': single({ account: { username: 'ann', password: '' } }),
    'rediss://cache': single({ tls: { rejectUnauthorized: true, checkHostname: true } }),
    'rediss://cache?ssl_cert_reqs=none&ssl_check_hostname=False': single({
      tls: { rejectUnauthorized: false, checkHostname: false },
    }),
    'redis+sentinel://s1,s2:26380/mymaster/2': sentinels,
    'redis+sentinel://s1,s2:26380/mymaster?db=2': sentinels,
    'mymaster/s1:26379,s2:26380/2': sentinels,
    [`rediss+sentinel://ann:${encoded}@s1,s2:26380/mymaster/2?sentinel_password=${encoded}`]: {
      ...sentinels,
      account: ann,
      sentinelAccount: { password },
      tls: { rejectUnauthorized: true, checkHostname: true },
    },
    'redis+sentinel://s1,s2:26380/mymaster/2?sentinel_username=bob&sentinel_password=pw': {
      ...sentinels,
      sentinelAccount: { username: 'bob', password: 'pw' },
    },
    'redis+cluster://h1,[::1]:7001,h3:7002': nodes,
    'redis+cluster://h1,[::1]:7001,h3:7002/0': nodes,
    [`redis+cluster://ann:${encoded}@h1,[::1]:7001,h3:7002/`]: { ...nodes, account: ann },
  };
  for (const [url, meaning] of Object.entries(readable)) {
    it(`is read as ${url}`, () => {
      expect(readCacheUrl(url)).to.deep.equal(meaning);
    });
  }

  const several = 'It names several hosts. Write redis+sentinel://';
  const refused: Readonly<Record<string, string>> = {
    'redis://h1:6379,h2:6379/0': several,
    'redis://h1:6379,redis://h2:6379': several,
    'redis://h1;redis://h2': several,
    'redis://:pw@h1,h2': several,
    'memcached://cache': 'It begins with an unknown scheme. Use redis://',
    'cache:6379': 'It begins with an unknown scheme.',
    'redis+cluster://h1,,h3': 'It lacks a host.',
    'redis+cluster:///0': 'It lacks a host.',
    'redis+cluster://h1/1': 'A cluster has only database 0.',
    'redis+sentinel://s1,s2': 'lacks the name of the master',
    'redis+sentinel://s1,s2/': 'lacks the name of the master',
    'redis+sentinel://s1,s2/0': 'lacks the name of the master',
    'redis+sentinel://s1/my master': 'It contains a space',
    'redis+sentinel://s1/mymaster/zero': 'Its database is not a number.',
    'redis+sentinel://s1/mymaster/0/1': 'too many parts after its hosts',
    'redis://cache/zero': 'Its database is not a number.',
    'redis://cache/-1': 'Its database is not a number.',
    'redis://cache/0/1': 'too many parts after its hosts',
    'redis://cache:0': 'Its port is not a number from 1 to 65535.',
    'redis://cache:port': 'are neither host:port nor',
    'redis://ca$che': 'is neither a host name nor an address',
    'redis://secret@cache': 'A password alone is written :password@',
    'redis://cache?timeout=5': 'It has an unknown parameter. Known are db, ',
    'redis://cache?sentinel_password=pw': 'It has an unknown parameter.',
    'rediss://cache?ssl_cert_reqs=maybe': 'Use required or none.',
    'rediss://cache?ssl_check_hostname=maybe': 'Use true or false.',
    'rediss://cache?ssl_ca_certs=/nowhere/ca.pem': 'ssl_ca_certs names "/nowhere/ca.pem", and there is no such file.',
    'redis://cache?ssl_cert_reqs=none': 'Its ssl_cert_reqs is for rediss',
  };
  for (const [url, sentence] of Object.entries(refused)) {
    it(`is refused as ${url}`, async () => {
      expect(refusal(url))
        .to.match(/^CACHE_URL: /)
        .and.include(sentence);
      expect(() => defineSettings({ SECRET_KEY: 'a secret', CACHE_URL: url })).to.throw(ImproperlyConfigured);
      expect(await reasonOf(RedisConnection.open(url))).to.be.instanceOf(ImproperlyConfigured);
    });
  }

  it('is refused with files that hold no certificates', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-tls-'));
    const file = path.join(folder, 'empty.pem');
    writeFileSync(file, 'no certificate');
    try {
      expect(refusal(`rediss://cache?ssl_ca_certs=${file}`)).to.include('contains no certificate');
      expect(refusal(`rediss://cache?ssl_certfile=${file}&ssl_keyfile=${file}`)).to.include('cannot be used');
      // Node takes it for a list of nobody.
      writeFileSync(file, '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n');
      expect(refusal(`rediss://cache?ssl_ca_certs=${file}`)).to.include('contains no certificate');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
