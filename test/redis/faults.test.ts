import { expect } from 'chai';
import { sentenceOf } from '../../server/redis/faults.js';

describe('what Redis says', () => {
  // As Redis 7 and the package `redis` 5 write them.
  for (const [said, sentence] of [
    ['WRONGPASS invalid username-password pair or user is disabled.', /refuses the user or the password of CACHE_URL/],
    ['ERR AUTH <password> called without any password configured for the default user.', /user or the password/],
    ['NOAUTH Authentication required.', /user or the password/],
    ["NOPERM this user has no permissions to run the 'del' command", /does not let the user .* ENGINES\.md/],
    ['ERR DB index is out of range', /no database of the number in CACHE_URL/],
    ["ERR unknown command 'DEL', with args beginning with: 'key'", /Sentinels are written redis\+sentinel/],
    ['None of the sentinels are available', /No sentinel of CACHE_URL answers, or knows a master/],
    ['All the root nodes are unavailable', /No host of CACHE_URL answers as a node of a cluster/],
    ["READONLY You can't write against a read only replica.", /is a replica/],
    ["ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write", /is a replica/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /full \(maxmemory\)/],
    ['MOVED 866 127.0.0.1:7002', /redis\+cluster/],
    ['Socket closed unexpectedly', /does not answer, or not in time/],
  ] as const) {
    it(`(${said}) is told as a sentence that says what to mend`, () => {
      expect(sentenceOf(new Error(said))).to.match(sentence);
    });
  }
});
