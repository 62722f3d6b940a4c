/**
 * The session's dictionary: keeps each member's JSON text as it was read until somebody changes it.
 *
 * Django on the other side may have written `1.0`, `NaN` or a 64-bit integer. A member that nobody touched here goes
 * back as the very text it came as; a value is parsed when it is asked for.
 */
import { MAX_DEPTH } from '../signing/json_scanner.js';
import { parseMember, printJson } from '../signing/python_json.js';

/** Members' JSON texts by key, in order. */
export type MemberTexts = ReadonlyMap<string, string>;

interface Member {
  /** The text as read or as set; undefined for a list or dictionary that was set here, which may change until the save. */
  readonly raw: string | undefined;
  /** The value; absent until it is asked for. */
  value?: unknown;
  /** What `raw` prints as here; absent until it is asked for. */
  printed?: string;
}

/**
 * Levels of arrays and objects in a value that is set here. Python 3.11 reads 992 for all of a session, less the frames
 * that its stack holds already; what is deeper would be an empty session to such a Django, which then overwrites it.
 */
const MOST_SET = 900;

const isMutable = (value: unknown): value is object => typeof value === 'object' && value !== null;

export class Document {
  /** As read, shared with others that read the same, and never changed. */
  readonly #texts: MemberTexts;
  /** Those of them that somebody asked for: most requests look at two or three. */
  #looked: Map<string, Member> | undefined;
  /** All members, once one was set or deleted; what lies in #looked is in here, too. */
  #members: Map<string, Member> | undefined;

  private constructor(texts: MemberTexts) {
    this.#texts = texts;
  }

  static empty(): Document {
    return new Document(new Map());
  }

  /** @param texts not to be changed by anybody from now on */
  static fromTexts(texts: MemberTexts): Document {
    return new Document(texts);
  }

  /** @throws TypeError when a value is nothing that JSON can hold */
  static fromPairs(pairs: Iterable<readonly [string, unknown]>): Document {
    const document = Document.empty();
    for (const [key, value] of pairs) document.set(key, value);
    return document;
  }

  get size(): number {
    return (this.#members ?? this.#texts).size;
  }

  has(key: string): boolean {
    return (this.#members ?? this.#texts).has(key);
  }

  /** The value, or undefined when the key is absent. Arrays and objects are the document's own: a change is saved. */
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
   * @throws TypeError at once when the value is nothing that JSON can hold, and the document stays as it was
   * @throws ValueError likewise when it lies deeper than every Django can read
   */
  set(key: string, value: unknown): void {
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

  /** The keys of lists and dictionaries that somebody changed inside, so that they are no longer what `base` holds. */
  changedInside(base: MemberTexts): string[] {
    const looked = [...(this.#members ?? this.#looked ?? [])];
    return looked
      .filter(([key, member]) => isMutable(member.value) && memberText(member) !== base.get(key))
      .map(([key]) => key);
  }

  /** Every member's JSON text: as it was read, or printed anew if it was set or changed inside. Not to be changed. */
  texts(): MemberTexts {
    const members = this.#members ?? this.#looked ?? [];
    const texts = new Map<string, string>(this.#members === undefined ? this.#texts : []);
    for (const [key, member] of members) texts.set(key, memberText(member));
    return texts;
  }
}

/** One level is the session's own. */
const printMember = (value: unknown): string => printJson(value, MAX_DEPTH - 1);

function memberText(member: Member): string {
  const { raw, value } = member;
  if (raw === undefined) return printMember(value);
  if (!isMutable(value)) return raw;
  const text = printMember(value);
  if (text === raw) return raw;
  // Parsing may lose what Python can tell apart (1.0 and 1): compare with what the loaded text prints as.
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
