/** Results of running Django (test/django/vectors.json), and the suites that test each of them. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';

/** An entry of a list in the file. `django` names the versions with exactly this result. */
export interface VectorEntry {
  readonly id?: string;
  readonly django?: readonly string[] | string;
  readonly note?: string;
}

/** An entry that is not an object in a list: an item of a dictionary, a string in a list, or a single string. */
export interface VectorItem extends VectorEntry {
  readonly id: string;
  readonly value: unknown;
}

type Check<Entry> = (entry: Entry, info: VectorInfo) => void | Promise<void>;

export interface VectorInfo {
  /** The entry's name in titles and in `cannot`. */
  readonly name: string;
  /** Whether it is a result of the newest Django in the list. */
  readonly current: boolean;
  readonly versions: readonly string[];
}

export interface VectorOptions<Entry> {
  /** The names of entries without `id`. */
  readonly name?: (entry: Entry) => string;
  /** Instead of the check, for results of older versions of Django only. */
  readonly older?: Check<Entry>;
  /**
   * Names of entries where JavaScript cannot do as Django, and why. Their check must fail, so that no working entry is
   * listed. `instead` asserts what happens.
   */
  readonly cannot?: Readonly<Record<string, string | { readonly reason: string; readonly instead: Check<Entry> }>>;
  /** Fields of the entries that this suite does not read, and which suite does, or why none. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

const FILE = new URL('../django/vectors.json', import.meta.url);

/** The whole file. */
export const vectors: Readonly<Record<string, unknown>> = Object.freeze(
  JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, unknown>,
);

/** The versions of Django in the file, oldest first. */
export const DJANGO_VERSIONS: readonly string[] = Object.keys(vectors['per_version'] as object);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The entries of one part of the file. Other than objects in a list are `{ id, value }`; the id is the key in a dictionary,
 * the index in a list, or the part's name.
 */
export function vectorEntries<Entry extends VectorEntry>(list: string): readonly Entry[] {
  const part = vectors[list];
  if (part === undefined) throw new Error(`vectors.json has no "${list}".`);
  if (isObject(part)) return Object.entries(part).map(([id, value]) => ({ id, value }) as unknown as Entry);
  if (!Array.isArray(part)) return [{ id: list, value: part } as unknown as Entry];
  return part.map((entry: unknown, index) =>
    isObject(entry) ? (entry as unknown as Entry) : ({ id: String(index), value: entry } as unknown as Entry),
  );
}

const versionsOf = (entry: VectorEntry): readonly string[] =>
  typeof entry.django === 'string' ? [entry.django] : (entry.django ?? DJANGO_VERSIONS);

/** The index of the newest of these versions in DJANGO_VERSIONS. */
const newest = (versions: readonly string[]): number =>
  Math.max(...versions.map((version) => DJANGO_VERSIONS.indexOf(version)));

function versionsTitle(versions: readonly string[]): string {
  if (versions.length === DJANGO_VERSIONS.length) return '';
  const first = versions[0];
  const last = versions.at(-1);
  return first === last ? ` (Django ${first})` : ` (Django ${first} to ${last})`;
}

/** A proxy of the entry that adds each accessed field to `read`. */
function watched<Entry extends VectorEntry>(entry: Entry, read: Set<string>): Entry {
  return new Proxy(entry, {
    get(target, field) {
      read.add(String(field));
      return Reflect.get(target, field) as unknown;
    },
  });
}

async function fails(run: () => void | Promise<void>): Promise<boolean> {
  try {
    await run();
    return false;
  } catch {
    return true;
  }
}

/**
 * Defines a test for each entry of a list of vectors.json.
 *
 * One more test fails for fields that no check has read and `elsewhere` does not name, so that nothing in the file is
 * skipped. An unknown name in `cannot` fails too. test/vectors.test.ts searches for `vectorSuite('list'`, to find lists
 * without a suite, so write the name as a literal.
 *
 * @param list the part of the file
 * @param check asserts one entry
 */
export function vectorSuite<Entry extends VectorEntry>(
  list: string,
  check: Check<Entry>,
  options: VectorOptions<Entry> = {},
): void {
  const { cannot = {}, elsewhere = {}, older } = options;
  const entries = vectorEntries<Entry>(list);
  const nameOf = (entry: Entry, index: number): string => options.name?.(entry) ?? entry.id ?? `#${index}`;
  const names = entries.map(nameOf);

  const newestOfList = Math.max(...entries.map((entry) => newest(versionsOf(entry))));

  const read = new Set(['id', 'django', 'note', ...Object.keys(elsewhere)]);
  let ran = 0;

  describe(`vectors: ${list}`, () => {
    for (const [index, original] of entries.entries()) {
      const name = names[index] ?? '';
      const versions = versionsOf(original);
      const current = newest(versions) === newestOfList;
      const info: VectorInfo = { name, current, versions };
      const refused = cannot[name];

      it(`${name}${versionsTitle(versions)}${refused === undefined ? '' : ': we differ'}`, async () => {
        ran += 1;
        const entry = watched(original, read);
        if (refused !== undefined) {
          expect(await fails(() => check(entry, info)), `${name} works: take it out of "cannot"`).to.equal(true);
          if (typeof refused !== 'string') await refused.instead(entry, info);
        } else await (current || older === undefined ? check : older)(entry, info);
      });
    }

    it('has no field that nothing looks at', () => {
      // With mocha's --grep only some entries ran.
      if (ran < entries.length) return;
      const fields = new Set(entries.flatMap((entry) => Object.keys(entry)));
      expect([...fields].filter((field) => !read.has(field))).to.deep.equal([]);
    });

    const strangers = Object.keys(cannot).filter((name) => !names.includes(name));
    if (strangers.length > 0) {
      it(`"cannot" names only entries of ${list}`, () => {
        expect(strangers).to.deep.equal([]);
      });
    }
  });
}

/** The SECRET_KEY of entries that name none. */
export const VECTORS_SECRET_KEY = 'django-insecure-)x2v!7w#0p5@k3r9$z^&*m(t=e_q+8y1u6i4oahs-dflgjnbc';

/** The time at which Django ran: 2026-01-01T00:00:00Z. */
export const VECTORS_TIME = 1_767_225_600;
