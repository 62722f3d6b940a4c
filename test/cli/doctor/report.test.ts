import { expect } from 'chai';
import { make_password } from '../../../server/auth/hashers.js';
import { get_session_auth_hash } from '../../../server/auth/session_hash.js';
import type { Diagnosis, Finding } from '../../../server/cli/doctor/finding.js';
import { examine, inWords } from '../../../server/cli/doctor/report.js';
import { SessionCodec } from '../../../server/session/codec.js';
import { defineSettings, type Settings } from '../../../server/settings.js';
import { salted_hmac } from '../../../server/signing/crypto.js';
import { TimestampSigner } from '../../../server/signing/signer.js';
import { emptyDatabase, type TestDatabase, testDatabase } from '../../support/database.js';

const settings = defineSettings({ SECRET_KEY: 'the key', SECRET_KEY_FALLBACKS: ['older', 'oldest'] });
const withKey = (SECRET_KEY: string, more: object = {}): Settings => defineSettings({ SECRET_KEY, ...more });

describe('doctor', () => {
  let database: TestDatabase;
  let counter = 0;

  beforeEach(async () => {
    database = await testDatabase();
  });
  afterEach(() => database.drop());

  /** A row signed with `key`, ending `seconds` from now. */
  async function row(json: string, { by = settings, seconds = 1000 }: { by?: Settings; seconds?: number } = {}) {
    counter += 1;
    await rawRow(new SessionCodec(by).encode(json), seconds);
  }

  async function rawRow(session_data: string, seconds = 1000): Promise<void> {
    counter += 1;
    await database.knex('django_session').insert({
      session_key: `row${String(counter).padStart(29, '0')}`,
      session_data,
      expire_date: new Date(Date.now() + seconds * 1000),
    });
  }

  const look = (with_: Settings = settings): Promise<Diagnosis> => examine(database.knex, { settings: with_ });
  const found = ({ findings }: Diagnosis, check: string): Finding | undefined =>
    findings.find((finding) => finding.check === check);

  it('finds a fresh database healthy, and says that no key could be tried', async () => {
    const diagnosis = await look();
    expect(diagnosis.healthy).to.equal(true);
    expect(found(diagnosis, 'table')?.level).to.equal('ok');
    expect(found(diagnosis, 'indexes')?.level).to.equal('ok');
    expect(found(diagnosis, 'clock')?.level).to.equal('ok');
    expect(found(diagnosis, 'signatures')?.text).to.contain('no rows yet');
    expect(inWords(diagnosis)).to.match(/share their logins\.$/);
  });

  it('counts the rows that verify with each key', async () => {
    await row('{"a":1}');
    await row('{"a":2}');
    await row('{"a":3}', { by: withKey('oldest') });
    const finding = found(await look(), 'signatures');
    expect(finding?.level).to.equal('ok');
    expect(finding?.text).to.equal(
      'Of the newest 3 rows, 2 verify with SECRET_KEY, 0 with fallback 1, 1 with fallback 2, 0 with none.',
    );
  });

  it('is not healthy when no row verifies, and never shows a key', async () => {
    await row('{"a":1}', { by: withKey('quite another') });
    const diagnosis = await look();
    expect(diagnosis.healthy).to.equal(false);
    expect(found(diagnosis, 'signatures')?.advice).to.contain('SESSION_KEY_SALT');
    expect(JSON.stringify(diagnosis)).not.to.match(/the key|quite another|older|oldest/);
  });

  it('warns when some rows verify with no key', async () => {
    await row('{"a":1}');
    await row('{"a":1}', { by: withKey('before the rotation') });
    const diagnosis = await look();
    expect(diagnosis.healthy).to.equal(true);
    expect(found(diagnosis, 'signatures')?.level).to.equal('warning');
  });

  for (const [what, key, of_django] of [
    ['a line end after it', 'the key\n', 'the key'],
    ['quotes around it', '"the key"', 'the key'],
    ['no prefix', 'the key', 'django-insecure-the key'],
    ['doubled dollar signs', 'a$$b', 'a$b'],
  ] as const) {
    it(`recognises the right key with ${what}`, async () => {
      await row('{"a":1}', { by: withKey(of_django) });
      expect(found(await look(withKey(key)), 'signatures')?.advice).to.match(/^Most likely the SECRET_KEY here/);
    });
  }

  it('recognises a salt that was set without need', async () => {
    await row('{"a":1}');
    const salted = withKey('the key', { SESSION_KEY_SALT: 'django.contrib.sessions.Mine' });
    expect(found(await look(salted), 'signatures')?.advice).to.contain('unset it');
  });

  it('finds rows in the format of Django 2.2, with or without their key', async () => {
    const old = (key: string): string => {
      const json = '{"a":1}';
      const hash = salted_hmac('django.contrib.sessionsSessionStore', json, key, 'sha1').digest('hex');
      return Buffer.from(`${hash}:${json}`).toString('base64');
    };
    await rawRow(old('the key'));
    await rawRow(old('another'));
    const finding = found(await look(), 'legacy');
    expect(finding?.text).to.equal('2 of the newest rows are in the format of Django 2.2 and 3.0.');
    expect(finding?.advice).to.contain('SESSION_READ_LEGACY');
  });

  it('is not healthy when every row is in a format that is not read here', async () => {
    const json = '{"a":1}';
    const hash = salted_hmac('django.contrib.sessionsSessionStore', json, 'the key', 'sha1').digest('hex');
    await rawRow(Buffer.from(`${hash}:${json}`).toString('base64'));
    expect((await look()).healthy).to.equal(false);
    expect((await look(withKey('the key', { SESSION_READ_LEGACY: true }))).healthy).to.equal(true);
    await row(json);
    const diagnosis = await look();
    expect([diagnosis.healthy, found(diagnosis, 'legacy')?.level]).to.deep.equal([true, 'warning']);
  });

  describe('with signed rows that cannot be read here', () => {
    /** As a Django with PickleSerializer writes it: pickle.dumps({'_auth_user_id': '1', 'n': 2}, 4). */
    const pickled = (): string =>
      new TimestampSigner({ key: settings.SECRET_KEY, salt: settings.SESSION_KEY_SALT }).sign(
        'gASVHwAAAAAAAAB9lCiMDV9hdXRoX3VzZXJfaWSUjAExlIwBbpRLAnUu',
      );

    it('is not healthy when none can be read, and names SESSION_SERIALIZER', async () => {
      await rawRow(pickled());
      await rawRow(pickled());
      const diagnosis = await look();
      expect(diagnosis.healthy).to.equal(false);
      expect(found(diagnosis, 'signatures')?.level).to.equal('ok');
      expect(found(diagnosis, 'payloads')).to.include({
        level: 'problem',
        text: '2 of 2 rows with a valid signature cannot be read here.',
      });
      expect(found(diagnosis, 'payloads')?.advice).to.match(/^Django's SESSION_SERIALIZER must write JSON/);
      expect(inWords(diagnosis)).to.match(/will not share logins until the problems above are solved\.$/);
    });

    it('is not healthy when the others are signed with another key', async () => {
      await rawRow(pickled());
      await row('{"a":1}', { by: withKey('quite another') });
      const diagnosis = await look();
      expect([diagnosis.healthy, found(diagnosis, 'payloads')?.level]).to.deep.equal([false, 'problem']);
    });

    it('warns when some can be read', async () => {
      await rawRow(pickled());
      await row('{"a":1}');
      const diagnosis = await look();
      expect([diagnosis.healthy, found(diagnosis, 'payloads')?.level]).to.deep.equal([true, 'warning']);
    });

    it('names SESSION_MAX_BYTES when they are larger', async () => {
      await row(JSON.stringify({ a: 'x'.repeat(2000) }));
      const small = withKey('the key', { SESSION_MAX_BYTES: 1024 });
      expect(found(await look(small), 'payloads')?.advice).to.equal(
        '1 are larger than SESSION_MAX_BYTES, 1024: raise it.',
      );
      expect(found(await look(), 'payloads')).to.equal(undefined);
    });
  });

  it('says since when clearsessions has not run', async () => {
    await row('{"a":1}', { seconds: -10 * 86_400 });
    const finding = found(await look(), 'expired');
    expect(finding?.level).to.equal('warning');
    expect(finding?.text).to.contain('oldest 10 days ago');
  });

  it('tells expiry dates with an offset from those without, and what USE_TZ should be', async () => {
    const off = withKey('the key', { USE_TZ: false });
    await row('{"_session_expiry":"2091-01-01T00:00:00+00:00"}');
    expect(found(await look(), 'use_tz')?.level).to.equal('ok');
    expect(found(await look(off), 'use_tz')?.advice).to.match(/^USE_TZ is off here/);
    await row('{"_session_expiry":"2091-01-01T00:00:00.123456"}');
    expect(found(await look(), 'use_tz')?.text).to.match(/^2 rows expire at a date, 1 of them without an offset/);
    expect(found(await look(), 'use_tz')?.advice).to.match(/^Set USE_TZ=false here/);
  });

  it('finds dates without an offset right where USE_TZ is off', async () => {
    await row('{"_session_expiry":"2091-01-01T00:00:00.123456"}');
    expect(found(await look(withKey('the key', { USE_TZ: false })), 'use_tz')?.level).to.equal('ok');
  });

  describe('with users', () => {
    async function user(username: string, password: string): Promise<string> {
      const [made] = await database
        .knex('auth_user')
        .insert({
          username,
          password,
          is_active: true,
          is_staff: false,
          is_superuser: false,
          first_name: '',
          last_name: '',
          email: '',
          date_joined: new Date(),
        })
        .returning<{ id: number }[]>('id');
      return String(made?.id);
    }

    const loginOf = (id: string, encoded: string, backend = 'django.contrib.auth.backends.ModelBackend'): string =>
      JSON.stringify({
        _auth_user_id: id,
        _auth_user_backend: backend,
        _auth_user_hash: get_session_auth_hash(encoded, settings.SECRET_KEY),
      });

    it('counts the logins that hold here', async () => {
      const encoded = await make_password('x', { iterations: 1 });
      const id = await user('alice', encoded);
      await row(loginOf(id, encoded));
      await row(loginOf(id, 'of an older password'));
      await row(loginOf('77', encoded));
      const diagnosis = await look();
      expect(found(diagnosis, 'logins')?.text).to.equal('1 of 3 logged-in rows are a valid login here.');
      expect(found(diagnosis, 'hashers')?.text).to.contain('pbkdf2_sha256 1');
      expect(JSON.stringify(diagnosis)).not.to.contain(encoded);
    });

    it('is not healthy when no login holds because the model overrides get_session_auth_hash', async () => {
      const encoded = await make_password('x', { iterations: 1 });
      const id = await user('alice', encoded);
      const overridden = salted_hmac('accounts.Person.hash', `${encoded}0`, 'the key', 'sha256').digest('hex');
      const login = JSON.parse(loginOf(id, encoded)) as object;
      await row(JSON.stringify({ ...login, _auth_user_hash: overridden }));
      await row(JSON.stringify({ ...login, _auth_user_hash: overridden }));
      const diagnosis = await look();
      expect(diagnosis.healthy).to.equal(false);
      expect(found(diagnosis, 'logins')).to.include({
        level: 'problem',
        text: '0 of 2 logged-in rows are a valid login here.',
      });
      expect(found(diagnosis, 'logins')?.advice).to.match(/overrides get_session_auth_hash .* SECRET_KEY_FALLBACKS/);
      expect(inWords(diagnosis)).not.to.include('share their logins');
      await row(loginOf(id, encoded));
      expect((await look()).healthy).to.equal(true);
    });

    it('is not healthy when no user of a login is there', async () => {
      await row(loginOf('77', 'x'));
      const diagnosis = await look();
      expect(diagnosis.healthy).to.equal(false);
      expect(found(diagnosis, 'logins')?.advice).to.match(/^Their users are inactive, gone, or in another table/);
    });

    it('names hashers that this server does not know, and no password', async () => {
      await user('alice', 'md5$salt$0123');
      await user('bob', 'in the clear $ecret');
      await user('carol', '!unusable');
      const finding = found(await look(), 'hashers');
      expect(finding?.level).to.equal('warning');
      expect(finding?.text).to.equal('Password hashers in use: md5 1, unknown 1, unusable 1.');
    });

    it('names backends that this server does not know', async () => {
      await row(loginOf('1', 'x', 'mysite.LdapBackend'));
      expect(found(await look(), 'backends')?.text).to.contain('"mysite.LdapBackend"');
    });
  });

  describe('where the table is not as it should be', () => {
    it('says that there is none', async () => {
      const empty = await emptyDatabase();
      try {
        const diagnosis = await examine(empty.knex, { settings });
        expect(diagnosis.healthy).to.equal(false);
        expect(found(diagnosis, 'table')?.text).to.contain('no table django_session');
      } finally {
        await empty.drop();
      }
    });

    it('names what it lacks', async () => {
      await database.knex.raw('ALTER TABLE django_session ALTER COLUMN expire_date DROP NOT NULL');
      await database.knex.raw('DROP INDEX django_session_expire_date_a5c62663');
      const diagnosis = await look();
      expect(diagnosis.healthy).to.equal(false);
      expect(found(diagnosis, 'table')?.text).to.contain('expire_date timestamp with time zone not null');
      expect(found(diagnosis, 'indexes')?.text).to.contain('django_session_expire_date_a5c62663');
    });
  });

  it('says how far the clocks are apart', async () => {
    const late = await examine(database.knex, { settings, now: () => Date.now() / 1000 - 100 });
    expect(late.healthy).to.equal(false);
    expect(found(late, 'clock')?.text).to.match(/^The database's clock is (99|100)\.\d s ahead/);
  });

  it('survives rows of any content', async () => {
    for (const json of [
      '[]',
      'null',
      '"x"',
      '{"_auth_user_id":{}}',
      '{"_auth_user_id":null,"_session_expiry":[]}',
      'x',
    ]) {
      await row(json);
    }
    for (const text of ['', ':', 'x:y:z', '.a:b:c', '\u4e2d\u6587']) await rawRow(text);
    expect((await look()).findings).not.to.equal([]);
  });

  it('writes nothing', async () => {
    await row('{"a":1}', { seconds: -10 });
    const before = await database.knex('django_session').select();
    await look();
    expect(await database.knex('django_session').select()).to.deep.equal(before);
  });
});
