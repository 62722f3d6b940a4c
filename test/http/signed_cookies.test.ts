/** Signed cookies, set and read over a socket, against what Django gave. */
import { expect } from 'chai';
import Koa from 'koa';
import { installCookies } from '../../server/http/cookies.js';
import type { TimeDelta } from '../../server/http/http_date.js';
import type { Settings } from '../../server/settings.js';
import { signCookie } from '../../server/signing/cookie_signer.js';
import { TimestampSigner } from '../../server/signing/signer.js';
import { type VectorEntry, vectorSuite } from '../support/vectors.js';
import { closeServers, serve, settings } from './serve.js';

/** A signature by SHA-1 has 27 characters, as Django wrote before 3.1; one by SHA-256 has 43. */
const isSha1 = (signed: string): boolean => /:[\w-]{27}$/.test(signed);

interface SetEntry extends VectorEntry {
  readonly key: string;
  readonly value: string;
  readonly salt: string;
  readonly secret_key: string;
  readonly time: number;
  readonly signer_salt: string;
  readonly signed_value: string;
  readonly cookie_value?: string;
  readonly set_cookie?: string;
  readonly raises?: string;
}

/** A header's text as the client sees its bytes: UTF-8 where Latin-1 does not do. */
const bytes = (text: string): string =>
  /[\u0100-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;

/** Sets the cookie as a handler does: what was sent, and what was thrown. */
async function set(
  { key, value, salt, time }: SetEntry,
  values: Settings,
): Promise<{ sent: string[]; error: unknown }> {
  let error: unknown;
  const app = new Koa();
  installCookies(app, { settings: values, now: () => time });
  app.use((ctx) => {
    ctx.body = 'ok';
    try {
      ctx.response.set_signed_cookie(key, value, { salt });
    } catch (thrown) {
      error = thrown;
    }
  });
  return { sent: [...(await (await serve(app)).ask()).set_cookie], error };
}

async function checkSet(entry: SetEntry): Promise<void> {
  const { key, value, salt, secret_key, time, signer_salt, signed_value, cookie_value, set_cookie, raises } = entry;
  const version = signer_salt.startsWith('django.http.cookies.v2:') ? 2 : 1;
  const values = settings({ SECRET_KEY: secret_key, SIGNED_COOKIE_SALT_VERSION: version });
  expect(signCookie(key, value, { settings: values, salt, now: () => time })).to.equal(signed_value);
  const { sent, error } = await set(entry, values);
  expect(sent).to.deep.equal(set_cookie === undefined ? [] : [bytes(set_cookie)]);
  expect(error === undefined ? undefined : String(error)).to.equal(raises);
  if (set_cookie !== undefined) expect(cookie_value).to.equal(signed_value);
}

/** SHA-1, before Django 3.1: known, but neither written nor accepted. */
async function checkSha1(entry: SetEntry): Promise<void> {
  const { key, value, salt, secret_key, time, signer_salt, signed_value, cookie_value, set_cookie, raises } = entry;
  expect(signer_salt).to.equal(key + salt);
  const options = { key: `django.http.cookies${secret_key}`, salt: signer_salt, now: () => time };
  expect(new TimestampSigner({ ...options, algorithm: 'sha1' }).sign(value)).to.equal(signed_value);
  expect(new TimestampSigner(options).verify(signed_value)).to.equal(null);
  const { sent, error } = await set(entry, settings({ SECRET_KEY: secret_key }));
  const withoutSignature = (text: string): string => text.replace(/:[\w-]{27,43}(?="?; Path)/, '');
  expect(sent.map(withoutSignature)).to.deep.equal(
    set_cookie === undefined ? [] : [withoutSignature(bytes(set_cookie))],
  );
  expect(error === undefined ? undefined : String(error)).to.equal(raises);
  if (set_cookie !== undefined) expect(cookie_value).to.equal(signed_value);
}

interface GetEntry extends VectorEntry {
  readonly id: string;
  readonly cookies: Readonly<Record<string, string>>;
  readonly key: string;
  readonly now: number;
  readonly secret_key: string;
  readonly fallbacks: readonly string[] | null;
  readonly legacy_fallback: boolean | null;
  readonly kwargs: {
    readonly salt?: string;
    readonly default?: unknown;
    readonly max_age?: number;
    max_age_td?: number;
  };
  readonly result?: unknown;
  readonly raises?: string;
  readonly message?: string;
}

type Outcome = { readonly result: unknown } | { readonly raises: string; readonly message: string };

async function get(entry: GetEntry, values: Partial<Settings>): Promise<Outcome> {
  const { key, cookies, secret_key, fallbacks } = entry;
  const { max_age_td, max_age, ...kwargs } = entry.kwargs;
  const age: number | TimeDelta | undefined = max_age_td === undefined ? max_age : { seconds: max_age_td };
  const options = { ...kwargs, ...(age === undefined ? {} : { max_age: age }) };
  let outcome: Outcome | undefined;
  const app = new Koa();
  installCookies(app, {
    settings: settings({ SECRET_KEY: secret_key, SECRET_KEY_FALLBACKS: fallbacks ?? [], ...values }),
    now: () => entry.now,
  });
  app.use((ctx) => {
    ctx.body = 'ok';
    try {
      outcome = { result: ctx.request.get_signed_cookie<unknown>(key, options) };
    } catch (error) {
      const { name, message } = error as Error;
      outcome = { raises: name, message };
    }
  });
  const header = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  await (await serve(app)).ask({ headers: header.length === 0 ? {} : { cookie: header.join('; ') } });
  if (outcome === undefined) throw new Error('The handler did not run.');
  return outcome;
}

/** Our KeyError is a sentence where Python's is the key alone. */
function expectOutcome(outcome: Outcome, { result, raises, message }: GetEntry): void {
  if (raises === undefined) expect(outcome).to.deep.equal({ result });
  else if (raises === 'KeyError') expect(outcome).to.deep.equal({ raises, message: `There is no cookie ${message}.` });
  else expect(outcome).to.deep.equal({ raises, message });
}

/** Whether the cookie carries the newer scheme's signature, computed without unsignCookie. */
function isVersion2({ key, cookies, kwargs, secret_key, fallbacks }: GetEntry): boolean {
  const salt = kwargs.salt ?? '';
  return [secret_key, ...(fallbacks ?? [])].some((secret) => {
    const scheme = `django.http.cookies.v2:${salt.length}:${salt}${key}`;
    return (
      new TimestampSigner({ key: `django.http.cookies${secret}`, salt: scheme }).verify(cookies[key] ?? '') !== null
    );
  });
}

describe('signed cookies', () => {
  afterEach(closeServers);

  vectorSuite<SetEntry>('signed_cookies', checkSet, {
    name: ({ key, value, salt, secret_key }) =>
      `${JSON.stringify([key, value, salt])} under ${/^[ -~]*$/.test(secret_key) ? 'an ASCII' : 'a Unicode'} key`,
    // Up to 5.2.14 and 6.0.5 the setting for the older scheme gives the same bytes; before 3.1 it was SHA-1, which we
    // neither write nor accept.
    older: (entry) => (isSha1(entry.signed_value) ? checkSha1(entry) : checkSet(entry)),
  });

  vectorSuite<GetEntry>(
    'get_signed_cookie',
    async (entry) => {
      const { legacy_fallback } = entry;
      expectOutcome(await get(entry, { SIGNED_COOKIE_LEGACY_SALT_FALLBACK: legacy_fallback ?? true }), entry);
    },
    {
      name: ({ id, legacy_fallback }) => `${id}${legacy_fallback === false ? ', legacy salt refused' : ''}`,
      older: async (entry) => {
        const { legacy_fallback } = entry;
        const signed = entry.cookies[entry.key] ?? '';
        const outcome = await get(entry, { SIGNED_COOKIE_SALT_VERSION: 1 });
        if (legacy_fallback !== null) {
          expectOutcome(await get(entry, { SIGNED_COOKIE_LEGACY_SALT_FALLBACK: legacy_fallback }), entry);
        } else if (isSha1(signed)) {
          // We read no SHA-1 signatures, whatever Django made of this one.
          const { raises, result } = entry;
          const refused = { raises: 'BadSignature', message: `Signature "${signed.split(':').at(-1)}" does not match` };
          expect(entry.message === undefined || raises !== undefined).to.equal(true);
          expect(outcome).to.deep.equal('default' in entry.kwargs ? { result: entry.kwargs.default } : refused);
          if ('default' in entry.kwargs && result === entry.kwargs.default) expect(outcome).to.deep.equal({ result });
        } else if (isVersion2(entry)) {
          // A server that still writes the older scheme reads the newer one too, so that servers can be upgraded one
          // by one. The Django of that time refused.
          expect(entry.raises === 'BadSignature' || entry.result === entry.kwargs.default).to.equal(true);
          expect(entry.message ?? 'Signature').to.match(/^Signature/);
          expect(outcome).to.deep.equal(await get(entry, { SIGNED_COOKIE_LEGACY_SALT_FALLBACK: false }));
        } else expectOutcome(outcome, entry);
      },
    },
  );
});
