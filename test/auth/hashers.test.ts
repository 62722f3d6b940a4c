/** Hashers against Django's values, and against stored texts that nobody should have stored. */
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  Argon2PasswordHasher,
  BCryptPasswordHasher,
  BCryptSHA256PasswordHasher,
  check_password,
  get_hasher,
  harden_runtime,
  identify_hasher,
  is_password_usable,
  LIMITS,
  MD5PasswordHasher,
  make_password,
  PASSWORD_HASHERS,
  type PasswordHasher,
  type PasswordHashers,
  PBKDF2_ITERATIONS,
  PBKDF2PasswordHasher,
  PBKDF2SHA1PasswordHasher,
  ScryptPasswordHasher,
} from '../../server/auth/hashers.js';
import { inPool } from '../../server/auth/hashers/hasher.js';
import { ValueError } from '../../server/errors.js';
import { expectNoDearer, leastCost } from '../support/growth.js';
import { reasonOf } from '../support/reason.js';
import { type VectorEntry, type VectorItem, vectorSuite } from '../support/vectors.js';

/** One of each, cheap, so that a test takes milliseconds. */
const QUICK: PasswordHashers = [
  new PBKDF2PasswordHasher({ iterations: 1000 }),
  new PBKDF2SHA1PasswordHasher({ iterations: 1000 }),
  new Argon2PasswordHasher({ time_cost: 1, memory_cost: 64, parallelism: 1 }),
  new BCryptSHA256PasswordHasher({ rounds: 4 }),
  new ScryptPasswordHasher({ work_factor: 16, parallelism: 1 }),
  new BCryptPasswordHasher({ rounds: 4 }),
];
const WITH_MD5: PasswordHashers = [...QUICK, new MD5PasswordHasher()];

interface HashEntry extends VectorEntry {
  readonly hasher: string;
  readonly password: string;
  readonly salt: string;
  readonly encoded: string;
  readonly iterations?: number;
  readonly n?: number;
  readonly r?: number;
  readonly p?: number;
  readonly t?: number;
  readonly m?: number;
}

/** The hasher with the parameters of the entry. */
function hasherOf(entry: HashEntry): PasswordHasher {
  switch (entry.hasher) {
    case 'pbkdf2_sha256':
      return new PBKDF2PasswordHasher({ iterations: entry.iterations ?? 0 });
    case 'pbkdf2_sha1':
      return new PBKDF2SHA1PasswordHasher({ iterations: entry.iterations ?? 0 });
    case 'scrypt':
      return new ScryptPasswordHasher({
        work_factor: entry.n ?? 0,
        block_size: entry.r ?? 0,
        parallelism: entry.p ?? 0,
      });
    case 'argon2':
      return new Argon2PasswordHasher({
        time_cost: entry.t ?? 0,
        memory_cost: entry.m ?? 0,
        parallelism: entry.p ?? 0,
      });
    default:
      return get_hasher(entry.hasher, { hashers: WITH_MD5 });
  }
}

vectorSuite<HashEntry>(
  'password_hashes',
  async (entry) => {
    const { password, salt, encoded } = entry;
    expect(await make_password(password, { hasher: hasherOf(entry), salt })).to.equal(encoded);
    expect(identify_hasher(encoded, { hashers: WITH_MD5 }).algorithm).to.equal(entry.hasher);
    expect(await check_password(password, encoded, { hashers: WITH_MD5 })).to.equal(true);
    // Hashes of a whole second each are made with the same code as the short ones: once is enough there.
    if (entry.note !== undefined) return;
    expect(await check_password(`${password}.`, encoded, { hashers: WITH_MD5 })).to.equal(false);
  },
  { name: ({ encoded }) => encoded.slice(0, 60) },
);

interface CheckEntry extends VectorEntry {
  readonly password: string | null;
  readonly encoded: string;
  readonly result?: boolean;
  readonly setter_called: boolean;
  readonly version_iterations?: number;
  readonly raises?: string;
  readonly message?: string;
}

/** Before 3.2 Django did not look at the salt's length. */
const SHORT_SALT = /must_update_same_iter_(?:short|12char|21char)_salt/;
const looksAtSalts = (versions: readonly string[]): boolean =>
  versions.some((version) => !/^(?:2\.|3\.[01]\.)/.test(version));

vectorSuite<CheckEntry>('check_password', checkEntry, { older: checkEntry });

async function checkEntry(
  entry: CheckEntry,
  { name, versions }: { name: string; versions: readonly string[] },
): Promise<void> {
  const { password, encoded, version_iterations } = entry;
  const iterations = version_iterations ?? 1000;
  const hashers: PasswordHashers = [new PBKDF2PasswordHasher({ iterations })];
  let called = false;
  const setter = async (): Promise<void> => {
    called = true;
  };
  const result = await check_password(password, encoded, { hashers, setter });
  if (entry.raises !== undefined) {
    // Django lets int() and the unpacking raise, and answers 500; here a malformed text is a password that is wrong.
    expect(entry.message).to.be.a('string');
    expect({ result, called }).to.deep.equal({ result: false, called: entry.setter_called });
    return;
  }
  // Documented difference from Django before 3.2: a short salt is a reason to hash anew, as in every Django since.
  const differs = SHORT_SALT.test(name) && !looksAtSalts(versions);
  if (differs) expect(entry.setter_called, 'what the older Django did').to.equal(false);
  expect({ result, called }).to.deep.equal({ result: entry.result, called: differs || entry.setter_called });
}

interface VersionValue {
  readonly version: string;
  readonly default_iterations: number;
  readonly salt_length_of_new_password: number;
}

let madeByDefault: Promise<string> | undefined;

vectorSuite<VectorItem>('per_version', async ({ id, value }) => {
  const version = value as VersionValue;
  expect(version.default_iterations).to.be.at.most(LIMITS.pbkdf2Iterations);
  madeByDefault ??= make_password('x', { hasher: 'default' });
  const [, iterations, salt = ''] = (await madeByDefault).split('$');
  expect(Number(iterations)).to.equal(PBKDF2_ITERATIONS);
  if (id === '6.0.x') expect(PBKDF2_ITERATIONS).to.equal(version.default_iterations);
  // Django before 3.2 took 12 characters of salt; we take what every Django takes since.
  expect(salt).to.have.lengthOf(/^(?:2\.|3\.[01]\.)/.test(version.version) ? 22 : version.salt_length_of_new_password);
});

describe('make_password', () => {
  it('gives another salt each time', async () => {
    const [first, second] = await Promise.all([0, 1].map(() => make_password('same', { iterations: 10 })));
    expect(first).to.match(/^pbkdf2_sha256\$10\$[A-Za-z0-9]{22}\$[A-Za-z0-9+/]{43}=$/);
    expect(first).to.not.equal(second);
  });

  it('makes an unusable password of null: "!" and forty random characters', async () => {
    const encoded = await make_password(null);
    expect(encoded).to.match(/^![A-Za-z0-9]{40}$/);
    expect(encoded).to.not.equal(await make_password(null));
    expect(is_password_usable(encoded)).to.equal(false);
    expect(await check_password(encoded, encoded, { hashers: QUICK })).to.equal(false);
    expect(await check_password('', '!', { hashers: QUICK })).to.equal(false);
  });

  for (const hasher of QUICK) {
    it(`fits Django's column and verifies: ${hasher.algorithm}`, async () => {
      const encoded = await make_password('pässwörd 密码🔑', { hasher });
      expect(encoded.length).to.be.at.most(128);
      expect(encoded.startsWith(`${hasher.algorithm}$`)).to.equal(true);
      expect(await check_password('pässwörd 密码🔑', encoded, { hashers: QUICK })).to.equal(true);
      expect(await check_password('pässwörd 密码', encoded, { hashers: QUICK })).to.equal(false);
      expect(hasher.must_update(encoded)).to.equal(false);
    });
  }

  for (const hasher of PASSWORD_HASHERS) {
    it(`fits Django's column with its own defaults: ${hasher.algorithm}`, async () => {
      const encoded = await make_password('secret', { hasher });
      expect(encoded.length).to.be.at.most(128);
      expect(hasher.must_update(encoded)).to.equal(false);
      expect(hasher.understands(encoded)).to.equal(true);
    });
  }

  it('refuses a salt with "$", an empty one, and text that UTF-8 cannot hold', async () => {
    for (const hasher of ['pbkdf2_sha256', 'pbkdf2_sha1', 'scrypt', 'argon2', 'bcrypt_sha256', 'bcrypt']) {
      for (const salt of ['a$b', '']) await refused(make_password('x', { hasher, salt, hashers: QUICK }));
      await refused(make_password('\ud800', { hasher, hashers: QUICK }));
    }
    await refused(make_password('x', { hasher: 'argon2', salt: 'seven77', hashers: QUICK }));
    await refused(make_password('x', { hasher: 'bcrypt', salt: '$2b$04$short', hashers: QUICK }));
    await refused(make_password('x', { hasher: 'argon2', iterations: 5, hashers: QUICK }));
    await refused(make_password('x', { hasher: 'md5' }));
  });

  it('refuses what plain bcrypt would cut off, as the bcrypt that Django uses does', async () => {
    await refused(make_password('a'.repeat(73), { hasher: 'bcrypt', hashers: QUICK }));
    await refused(make_password('é'.repeat(37), { hasher: 'bcrypt', hashers: QUICK }));
    const encoded = await make_password('é'.repeat(37), { hasher: 'bcrypt_sha256', hashers: QUICK });
    expect(await check_password('é'.repeat(36), encoded, { hashers: QUICK })).to.equal(false);
  });
});

describe('check_password', () => {
  describe('with plain bcrypt', () => {
    it('counts a NUL as a byte like others', async () => {
      const encoded = 'bcrypt$$2b$04$abcdefghijklmnopqrstuuVtOvIr8ehru5vMEhlCgsymM8Q3oMFfe';
      expect(await check_password('nul\0byte', encoded, { hashers: QUICK })).to.equal(true);
      expect(await check_password('nul', encoded, { hashers: QUICK })).to.equal(false);
    });

    it('reads 72 bytes of a longer password, as every bcrypt did when the hash was made', async () => {
      const encoded = 'bcrypt$$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe';
      for (const length of [72, 73, 1000]) {
        expect(await check_password('a'.repeat(length), encoded, { hashers: QUICK })).to.equal(true);
      }
      expect(await check_password('a'.repeat(71), encoded, { hashers: QUICK })).to.equal(false);
    });

    for (const prefix of ['2a', '2b', '2x', '2y']) {
      it(`knows $${prefix}$`, async () => {
        const encoded = `bcrypt$$${prefix}$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW`;
        expect(await check_password('secret', encoded, { hashers: QUICK })).to.equal(true);
        expect(await check_password('Secret', encoded, { hashers: QUICK })).to.equal(false);
      });
    }
  });

  describe('with argon2', () => {
    // By argon2-cffi, low_level.hash_secret(b'secret', b'seasaltseasalt', 1, 64, 1, length, type).
    for (const encoded of [
      'argon2$argon2d$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$YtnXBEjjvlve+0JqG5QtN5PmoyoIopYghjz5thNJ0Kg',
      'argon2$argon2i$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$yG5sT+OjNzW007KqdVAJ1xd2affvwgbPa8HCKxr4c38',
      'argon2$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
    ]) {
      it(`verifies ${encoded.slice(7, 40)}… with ${encoded.split('$')[5]?.length} characters of hash`, async () => {
        expect(await check_password('secret', encoded, { hashers: QUICK })).to.equal(true);
        expect(await check_password('Secret', encoded, { hashers: QUICK })).to.equal(false);
      });
    }
  });

  describe('for a text that no hasher made', () => {
    const absurd: readonly string[] = [
      '',
      '!',
      'secret',
      '$',
      '$$$$$$$',
      'default$1$a$b',
      'foo$1$a$b',
      'md5$seasalt$51bd9678978c1b8d854cd8d771c933e8',
      '5ebe2294ecd0e0f08eab7690d2a6ee69',
      'md5$$5ebe2294ecd0e0f08eab7690d2a6ee69',
      'sha1$$e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4',
      'pbkdf2_sha256$',
      'pbkdf2_sha256$1000$seasalt',
      'pbkdf2_sha256$-1$seasalt$abc',
      'pbkdf2_sha256$ 1$seasalt$abc',
      'pbkdf2_sha256$1_000$seasalt$abc',
      'pbkdf2_sha256$1e3$seasalt$abc',
      'pbkdf2_sha256$1000$$abc',
      'pbkdf2_sha256$1000$\0$\0',
      'pbkdf2_sha256$1000000000000$seasalt$abc',
      `pbkdf2_sha256$${'9'.repeat(100)}$seasalt$abc`,
      `pbkdf2_sha256$${LIMITS.pbkdf2Iterations + 1}$seasalt$abc`,
      'pbkdf2_sha1$1000000000000$seasalt$abc',
      'scrypt$15$seasalt$8$1$abc',
      'scrypt$1$seasalt$8$1$abc',
      'scrypt$16$seasalt$8$1',
      'scrypt$16$seasalt$8$1$a$b',
      'scrypt$1073741824$seasalt$8$1$abc',
      'scrypt$16384$seasalt$1048576$1$abc',
      'scrypt$2097152$seasalt$1$1$abc',
      'scrypt$2$seasalt$1048576$1048576$abc',
      'scrypt$2$seasalt$1$4194304$abc',
      'argon2$',
      'argon2$argon2id$v=19$m=4294967295,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=19$m=1024,t=4294967295,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=19$m=64,t=1,p=9$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=19$m=64,t=0,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=18$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2x$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=19$t=1,m=64,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilQ',
      'argon2$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ=$V9HilQ',
      'argon2$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$V9HilR',
      'argon2$argon2id$v=19$m=64,t=1,p=1$c2Vh$V9HilQ',
      'argon2$argon2id$v=19$m=64,t=1,p=1$c2Vhc2FsdHNlYXNhbHQ$',
      'bcrypt$',
      'bcrypt$$2b$31$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
      'bcrypt$$2b$16$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
      'bcrypt$$2b$03$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
      'bcrypt$$2b$04$abcdefghijklmnopqrstuu',
      'bcrypt$$2b$04$abcdefghijklmnopqrstuv2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
      'bcrypt$$2$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
      'bcrypt_sha256$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW',
    ];
    const plain = (): Promise<string> => make_password('secret', { iterations: 100_000 });
    let least: number;
    before(async () => {
      least = await leastCost(plain);
    });
    for (const encoded of absurd) {
      it(`is false at once, without its work: ${JSON.stringify(encoded.slice(0, 60))}`, async () => {
        for (const password of ['secret', '', 'nul\0', 'a'.repeat(100_000)]) {
          const check = (): Promise<boolean> => check_password(password, encoded, { hashers: QUICK });
          expect(await check()).to.equal(false);
          await expectNoDearer(plain, check, 1, least);
        }
      });
    }

    it('is false for every text that begins like a real one', async () => {
      for (const hasher of QUICK) {
        const encoded = await make_password('secret', { hasher });
        for (let length = 0; length < encoded.length; length += 1) {
          expect(await check_password('secret', encoded.slice(0, length), { hashers: QUICK })).to.equal(false);
        }
        expect(await check_password('secret', `${encoded}x`, { hashers: QUICK })).to.equal(false);
        expect(await check_password('secret', `${encoded}\n`, { hashers: QUICK })).to.equal(false);
      }
    });
  });

  it('is false for a password that UTF-8 cannot hold, even where U+FFFD would match', async () => {
    const encoded = await make_password('\ufffd', { iterations: 10 });
    expect(await check_password('\ufffd', encoded, { hashers: QUICK })).to.equal(true);
    expect(await check_password('\ud800', encoded, { hashers: QUICK })).to.equal(false);
  });

  it('hashes nothing anew unless it is given a setter', async () => {
    const encoded = await make_password('secret', { iterations: 10 });
    const set: string[] = [];
    const setter = async (password: string): Promise<void> => {
      set.push(password);
    };
    await check_password('wrong', encoded, { hashers: QUICK, setter });
    expect(set).to.deep.equal([]);
    await check_password('secret', encoded, { hashers: QUICK, setter });
    expect(set).to.deep.equal(['secret']);
  });

  describe('costs', () => {
    /** Counts the iterations of the default hasher. */
    class Counting extends PBKDF2PasswordHasher {
      spent = 0;
      override async encode(password: string, salt: string, iterations = this.iterations): Promise<string> {
        this.spent += iterations;
        return super.encode(password, salt, iterations);
      }
    }
    const ITERATIONS = 60_000;

    async function spentFor(password: string | null, encoded: string): Promise<number> {
      const counting = new Counting({ iterations: ITERATIONS });
      await check_password(password, encoded, { hashers: [counting, ...QUICK.slice(1)] as unknown as PasswordHashers });
      return counting.spent;
    }

    it('the same for a weak hash, a malformed one, an unusable one, an unknown one, and none', async () => {
      for (const encoded of [
        await make_password('secret', { iterations: 1 }),
        await make_password('secret', { iterations: ITERATIONS }),
        'pbkdf2_sha256$1000$seasalt',
        'pbkdf2_sha256$1000000000000$seasalt$abc',
        `!${'x'.repeat(40)}`,
        'foo$1$a$b',
        '',
      ]) {
        expect(await spentFor('wrong', encoded), encoded).to.equal(ITERATIONS);
      }
      expect(await spentFor(null, await make_password('secret', { iterations: 1 }))).to.equal(ITERATIONS);
    });

    it('nearly all of it after a quick hash of another kind', async () => {
      const md5like = await make_password('secret', { hasher: 'argon2', hashers: QUICK });
      expect(await spentFor('wrong', md5like)).to.be.within(ITERATIONS / 2, ITERATIONS);
    });

    it('the rest for a right password that is refused for another reason', async () => {
      const counting = new Counting({ iterations: ITERATIONS });
      const encoded = await make_password('secret', { iterations: 20_000 });
      await harden_runtime('secret', encoded, { hashers: [counting] });
      expect(counting.spent).to.equal(ITERATIONS - 20_000);
    });

    it('no time of the event loop', async () => {
      let turns = 0;
      const count = setInterval(() => {
        turns += 1;
      }, 1);
      await Promise.all([
        make_password('x', { iterations: 300_000 }),
        make_password('x', { hasher: 'bcrypt_sha256', hashers: [new BCryptSHA256PasswordHasher({ rounds: 10 })] }),
        make_password('x', { hasher: 'argon2' }),
        make_password('x', { hasher: 'scrypt' }),
      ]);
      clearInterval(count);
      expect(turns).to.be.above(20);
    });
  });

  it('serves many at once', async () => {
    const encoded = await make_password('secret', { iterations: 1000 });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        check_password(index % 2 === 0 ? 'secret' : 'wrong', encoded, { hashers: QUICK }),
      ),
    );
    expect(answers.every((answer, index) => answer === (index % 2 === 0))).to.equal(true);
  });
});

describe('identify_hasher', () => {
  it('names the algorithm of a stored password', async () => {
    for (const hasher of QUICK) {
      expect(identify_hasher(await make_password('x', { hasher }), { hashers: QUICK })).to.equal(hasher);
    }
  });

  it('says no more than that it knows none, since the text may be a secret', () => {
    for (const encoded of ['hunter2', '!x', '', 'default$x', 'md5$seasalt$x']) {
      expect(() => identify_hasher(encoded)).to.throw(
        ValueError,
        /^No password hasher can read this stored password\.$/,
      );
    }
  });
});

describe('inPool', () => {
  it('leaves one core to pages, one thread of four to files, and begins in the order of arrival', async () => {
    const most = Math.min(3, Math.max(1, availableParallelism() - 1));
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const works = Array.from({ length: 6 }, (_, place) =>
      inPool(async () => {
        begun.push(place);
        await new Promise<void>((resolve) => ends.push(resolve));
      }),
    );
    for (let ended = 0; ended < works.length; ended += 1) {
      await turn();
      expect(begun).to.deep.equal([0, 1, 2, 3, 4, 5].slice(0, ended + most));
      ends[ended]?.();
    }
    await Promise.all(works);
  });
});

async function refused(promise: Promise<unknown>): Promise<void> {
  expect(await reasonOf(promise)).to.be.instanceOf(ValueError);
}
