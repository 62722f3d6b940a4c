/** The values that running Django gave (test/django/vectors.json), and the suites that are driven by them. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';

/** One entry of a list, as the file has it. `django` names the versions that gave exactly this entry. */
export interface VectorEntry {
  readonly id?: string;
  readonly django?: readonly string[] | string;
  readonly note?: string;
}

/** An entry of a part of the file that is no list of objects: a dictionary's item, a text in a list, or a lone text. */
export interface VectorItem extends VectorEntry {
  readonly id: string;
  readonly value: unknown;
}

type Check<Entry> = (entry: Entry, info: VectorInfo) => void | Promise<void>;

export interface VectorInfo {
  /** What the entry is called in titles and in the tables `cannot` and `elsewhere`. */
  readonly name: string;
  /** Whether the newest Django that the list knows gave this entry. */
  readonly current: boolean;
  readonly versions: readonly string[];
}

export interface VectorOptions<Entry> {
  /** What the entries are called where they have no `id`. */
  readonly name?: (entry: Entry) => string;
  /** Runs in place of the check for what only older versions of Django gave: asserts what we do there. */
  readonly older?: Check<Entry>;
  /**
   * Entries, by name, that JavaScript cannot follow, and why. The check has to fail for them, so that none is listed
   * that works; `instead` asserts what happens in its place.
   */
  readonly cannot?: Readonly<Record<string, string | { readonly reason: string; readonly instead: Check<Entry> }>>;
  /** Fields of the entries that this suite does not look at, and which one does, or why none. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

const FILE = new URL('../django/vectors.json', import.meta.url);

/** The whole file. */
export const vectors: Readonly<Record<string, unknown>> = Object.freeze(
  JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, unknown>,
);

/** The versions of Django that were asked, oldest first. */
export const DJANGO_VERSIONS: readonly string[] = Object.keys(vectors['per_version'] as object);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The entries of one part of the file. What is no list of objects comes as `{ id, value }`: a dictionary's items by
 * their keys, texts of a list by their position, a lone text by the part's name.
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

/** How new the newest of some versions is: its place among all of them. */
const newest = (versions: readonly string[]): number =>
  Math.max(...versions.map((version) => DJANGO_VERSIONS.indexOf(version)));

function versionsTitle(versions: readonly string[]): string {
  if (versions.length === DJANGO_VERSIONS.length) return '';
  const first = versions[0];
  const last = versions.at(-1);
  return first === last ? ` (Django ${first})` : ` (Django ${first} to ${last})`;
}

/** The entry, telling `read` which of its fields are looked at. */
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
 * Make one test of each entry of a list of vectors.json.
 *
 * One more test fails when there is a field that no check has read and `elsewhere` does not name, so that nothing in
 * the file is passed over. A name in `cannot` that the list does not have fails too. test/vectors.test.ts finds the
 * lists without a suite by the text `vectorSuite('list'`, so write the name as a literal.
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
      // Where mocha was told to run some of the entries, nothing can be said.
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

/** The SECRET_KEY of the lists whose entries name none. */
export const VECTORS_SECRET_KEY = 'django-insecure-)x2v!7w#0p5@k3r9$z^&*m(t=e_q+8y1u6i4oahs-dflgjnbc';

/** The moment at which they were made: 2026-01-01T00:00:00Z. */
export const VECTORS_TIME = 1_767_225_600;
