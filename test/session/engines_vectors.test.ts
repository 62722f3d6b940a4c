/** What Django's other engines keep: the texts that are session_data, or signed like it. */
import { expect } from 'chai';
import { SessionCodec } from '../../server/session/codec.js';
import { TimestampSigner } from '../../server/signing/signer.js';
import { VECTORS_TIME, type VectorEntry, vectorSuite } from '../support/vectors.js';

interface EnginesEntry extends VectorEntry {
  readonly secret_key: string;
  readonly file: { readonly dir_listing: readonly string[]; readonly mode: string; readonly content: string };
  readonly signed_cookies: {
    readonly session_key: string;
    readonly salt: string;
    readonly compressed: string;
    readonly loaded: unknown;
    readonly loaded_after_cookie_age: unknown;
  };
}

const OTHERS = 'a pickle, or what became of one: not for us to read';

vectorSuite<EnginesEntry>(
  'engines',
  ({ secret_key, file, signed_cookies }) => {
    const codec = new SessionCodec(
      {
        SECRET_KEY: secret_key,
        SECRET_KEY_FALLBACKS: [],
        SESSION_KEY_SALT: 'django.contrib.sessions.SessionStore',
        SESSION_READ_LEGACY: false,
        SESSION_MAX_BYTES: 4_194_304,
      },
      { now: () => VECTORS_TIME },
    );
    expect(codec.encode('{"foo":"bar","n":1}')).to.equal(file.content);
    expect(codec.decode(file.content)).to.equal('{"foo":"bar","n":1}');
    for (const name of file.dir_listing) expect(name).to.match(/^sessionid[a-z0-9]{32}$/);
    expect(file.mode).to.equal('0o600');

    // The cookie's value is the session itself, signed under a salt of its own.
    const { session_key, salt, compressed, loaded, loaded_after_cookie_age } = signed_cookies;
    const at = (time: number): TimestampSigner => new TimestampSigner({ key: secret_key, salt, now: () => time });
    expect(at(VECTORS_TIME).sign_object(loaded)).to.equal(session_key);
    for (const text of [session_key, compressed]) expect(at(VECTORS_TIME).verify(text)).not.to.equal(null);
    expect(at(VECTORS_TIME + 1_209_600).unsign_object(session_key, { max_age: 1_209_600 })).to.deep.equal(loaded);
    expect(() => at(VECTORS_TIME + 1_209_601).unsign_object(session_key, { max_age: 1_209_600 })).to.throw();
    expect(at(VECTORS_TIME).unsign_object(compressed)).to.be.an('object');
    expect(loaded_after_cookie_age).to.deep.equal({});
  },
  {
    name: ({ django }) => `Django ${String(django)}`,
    elsewhere: {
      python: 'the version that ran',
      cache_redis: OTHERS,
      cached_db_redis: OTHERS,
      cached_db_foreign_db_write_seen: OTHERS,
      cached_db_foreign_db_delete_seen: OTHERS,
      cached_db_after_cache_key_deleted: OTHERS,
      cached_db_json_value_in_redis: OTHERS,
      cached_db_int_value_in_redis: OTHERS,
      cache_database: OTHERS,
      cache_filebased: OTHERS,
    },
  },
);
