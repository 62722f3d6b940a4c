/** SECRET_KEY is changed while pages send many requests at once, over two server processes on one database. */
import { expect } from 'chai';
import { get_session_auth_hash } from '../../server/auth/session_hash.js';
import type { User } from '../../server/auth/user.js';
import { SessionCodec } from '../../server/session/codec.js';
import { defineSettings } from '../../server/settings.js';
import { parseJson } from '../../server/signing/python_json.js';
import { PATIENT, SECRET_KEY, type ServerProcess } from './processes.js';
import { suiteUnderFire } from './suite.js';
import { Visitor } from './visitor.js';

const NEW_KEY = 'after-the-rotation-9876543210-zyxwvutsrqponmlkjihgfedcba-9876543210';
const codec = new SessionCodec(defineSettings({ SECRET_KEY: NEW_KEY }));
const TWENTY = Array.from({ length: 20 }, (_, i) => i);

describe('under fire: SECRET_KEY is rotated', function () {
  this.timeout(60_000);
  const fire = suiteUnderFire();
  const { database, planted } = fire;
  let user: User;
  let servers: readonly ServerProcess[] = [];
  const url = (i: number): string => servers[i % 2]?.url ?? '';

  before(async () => {
    user = await planted.user();
    const environment = {
      ...PATIENT,
      DATABASE_URL: database.url,
      SECRET_KEY: NEW_KEY,
      SECRET_KEY_FALLBACKS: JSON.stringify([SECRET_KEY]),
    };
    servers = await Promise.all([fire.start(environment), fire.start(environment)]);
  });

  /** What a row holds when the new key signed it. */
  async function signedAnew(session_key: string): Promise<unknown> {
    const { session_data } = await database.knex('django_session').where({ session_key }).first('session_data');
    expect(codec.verify(session_data).key).to.equal('current');
    return parseJson(codec.decode(session_data) ?? 'null');
  }

  it('answers every one of eight requests at once of twenty sessions as the user’s, and keeps each key', async () => {
    for (const i of TWENTY) {
      const session_key = await planted.session({ cart: [i] }, user);
      const reads = [1, 2, 3, 4, 5].map((n) => new Visitor(session_key).get(`${url(i + n)}/api/me/`));
      const writes = ['a', 'b', 'c'].map((key, n) => new Visitor(session_key).ops(url(n), ['set', key, i]));
      for (const { status, text, headers } of await Promise.all(reads)) {
        expect(status, text).to.equal(200);
        expect(JSON.parse(text)).to.have.nested.property('user.username', user.username);
        expect(headers).to.not.have.property('set-cookie');
      }
      for (const { status, headers } of await Promise.all(writes)) {
        expect(status).to.equal(200);
        expect(headers['set-cookie']?.join()).to.match(new RegExp(`^sessionid=${session_key};`));
      }
      expect(await signedAnew(session_key)).to.deep.equal({
        ...planted.login(user),
        _auth_user_hash: get_session_auth_hash(user.password, NEW_KEY),
        cart: [i],
        a: i,
        b: i,
        c: i,
      });
    }
  });

  it('leaves a logout final that comes between, whichever request is first', async () => {
    for (const i of TWENTY) {
      const session_key = await planted.session({}, user);
      const reads = [1, 2, 3].map((n) => new Visitor(session_key).get(`${url(i + n)}/api/me/`));
      const write = new Visitor(session_key).ops(url(i), ['set', 'late', 1]);
      const logout = await new Visitor(session_key).post(`${url(i + 1)}/logout/`);
      const more = [1, 2, 3].map((n) => new Visitor(session_key).get(`${url(i + n)}/api/me/`));
      expect(logout.status).to.equal(302);
      for (const { status } of await Promise.all([...reads, ...more])) expect(status).to.equal(200);
      expect([200, 400], 'a write passes or is interrupted').to.include((await write).status);
      for (const { text } of await Promise.all(more)) expect(text).to.contain('"user":null');
      expect(await database.knex('django_session').where({ session_key })).to.deep.equal([]);
    }
  });
});
