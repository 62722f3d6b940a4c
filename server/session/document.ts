/**
 * The members of a session. Each keeps its JSON text as it was read until it is changed.
 *
 * Django may have written `1.0`, `NaN` or a 64-bit integer. A member that was not changed here is written back as the same
 * text. A value is parsed at its first access.
 */
import { ValueError } from '../errors.js';
import { MAX_DEPTH } from '../signing/json_scanner.js';
import { parseMember, printJson } from '../signing/python_json.js';

/** Members' JSON texts by key, in order. */
export type MemberTexts = ReadonlyMap<string, string>;

interface Member {
  /** The text as read or as set; undefined for a list or dictionary that was set here, which may change until the save. */
  readonly raw: string | undefined;
  /** The parsed value; absent before the first access. */
  value?: unknown;
  /** `raw` parsed and printed again, see memberText; absent until it is needed. */
  printed?: string;
}

/**
 * The maximum nesting of a value that is set. Python 3.11 reads 992 levels, minus the frames on its stack. A Django that
 * cannot read a session treats it as empty, and overwrites it.
 */
const MOST_SET = 900;

const isMutable = (value: unknown): value is object => typeof value === 'object' && value !== null;

export class Document {
  /** As read. Never changed, because requests that read the same text share it. */
  readonly #texts: MemberTexts;
  /** The accessed members. Most requests access two or three of a dozen. */
  #looked: Map<string, Member> | undefined;
  /** All members, once one was set or deleted; those of #looked included. */
  #members: Map<string, Member> | undefined;

  private constructor(texts: MemberTexts) {
    this.#texts = texts;
  }

  static empty(): Document {
    return new Document(new Map());
  }

  /** @param texts must not be changed from now on */
  static fromTexts(texts: MemberTexts): Document {
    return new Document(texts);
  }

  /** @throws TypeError when JSON cannot hold a value */
  static fromPairs(pairs: Iterable<readonly [string, unknown]>): Document {
    const document = Document.empty();
    for (const [key, value] of pairs) document.set(key, value);
    return document;
  }

  /**
   * A document of these texts. Members with the same text as here keep their value: a list that the application has asked for
   * is still the session's.
   *
   * @param texts must not be changed from now on
   */
  withTexts(texts: MemberTexts): Document {
    const document = new Document(texts);
    const same = [...(this.#members ?? this.#looked ?? [])].filter(
      ([key, member]) => texts.get(key) === memberText(member),
    );
    document.#looked = new Map(same);
    return document;
  }

  get size(): number {
    return (this.#members ?? this.#texts).size;
  }

  has(key: string): boolean {
    return (this.#members ?? this.#texts).has(key);
  }

  /** The value; undefined when the key is absent. A change inside a list or dictionary is written with the next save. */
  get(key: string): unknown {
    const member = this.#members === undefined ? this.#look(key) : this.#members.get(key);
    if (member === undefined) return undefined;
    if (!('value' in member)) member.value = parseMember(member.raw ?? 'null');
    return member.value;
  }

  #look(key: string): Member | undefined {
    const looked = this.#looked?.get(key);
    if (looked !== undefined) return looked;
    const raw = this.#texts.get(key);
    if (raw === undefined) return undefined;
    const member = { raw };
    this.#looked ??= new Map();
    this.#looked.set(key, member);
    return member;
  }

  /**
   * @throws TypeError when JSON cannot hold the value; the document stays as it was
   * @throws ValueError likewise when it has more than 900 levels, and for a key that is no text: with another one the row
   *   would not be JSON, and the whole session would be lost
   */
  set(key: string, value: unknown): void {
    if (typeof key !== 'string') throw new ValueError('The keys of a session are texts.');
    const text = printJson(value, MOST_SET);
    this.#own().set(key, { raw: isMutable(value) ? undefined : text, value });
  }

  delete(key: string): boolean {
    return this.#own().delete(key);
  }

  #own(): Map<string, Member> {
    if (this.#members !== undefined) return this.#members;
    const members = new Map<string, Member>();
    for (const [key, raw] of this.#texts) members.set(key, this.#looked?.get(key) ?? { raw });
    this.#members = members;
    return members;
  }

  keys(): string[] {
    return [...(this.#members ?? this.#texts).keys()];
  }

  /** The keys of lists and dictionaries that differ from `base`, because they were changed in place. */
  changedInside(base: MemberTexts): string[] {
    const looked = [...(this.#members ?? this.#looked ?? [])];
    return looked
      .filter(([key, member]) => isMutable(member.value) && memberText(member) !== base.get(key))
      .map(([key]) => key);
  }

  /** Every member's JSON text: as read, or printed if it was set or changed in place. The caller must not change the Map. */
  texts(): MemberTexts {
    const members = this.#members ?? this.#looked ?? [];
    const texts = new Map<string, string>(this.#members === undefined ? this.#texts : []);
    for (const [key, member] of members) texts.set(key, memberText(member));
    return texts;
  }
}

/** The session's own object takes one of the levels. */
const printMember = (value: unknown): string => printJson(value, MAX_DEPTH - 1);

function memberText(member: Member): string {
  const { raw, value } = member;
  if (raw === undefined) return printMember(value);
  if (!isMutable(value)) return raw;
  const text = printMember(value);
  if (text === raw) return raw;
  // 1.0 is read as 1 and printed as `1`: if the value prints as the loaded text would, keep the loaded text.
  member.printed ??= printMember(parseMember(raw));
  return text === member.printed ? raw : text;
}

/** Whether both hold the same texts under the same keys in the same order. */
export function sameTexts(left: MemberTexts, right: MemberTexts): boolean {
  if (left.size !== right.size) return false;
  const others = right.entries();
  for (const [key, text] of left) {
    const [otherKey, other] = others.next().value ?? [];
    if (key !== otherKey || text !== other) return false;
  }
  return true;
}
