/**
 * The session's dictionary: keeps each member's JSON text as it was read until somebody changes it.
 *
 * Django on the other side may have written `1.0`, `NaN` or a 64-bit integer. A member that nobody touched here goes
 * back as the very text it came as; a value is parsed when it is asked for.
 */
import { join_members, parse_json, print_json, split_members } from '../signing/python_json.js';

interface Member {
  /** The text as read; undefined for a value that was set here. */
  readonly raw: string | undefined;
  /** The value; absent until it is asked for. */
  value?: unknown;
}

/** Members' JSON texts by key, in order. */
export type MemberTexts = ReadonlyMap<string, string>;

const isMutable = (value: unknown): value is object => typeof value === 'object' && value !== null;

export class Document {
  readonly #members: Map<string, Member>;

  private constructor(members: Map<string, Member>) {
    this.#members = members;
  }

  static empty(): Document {
    return new Document(new Map());
  }

  static fromTexts(texts: MemberTexts): Document {
    const members = new Map<string, Member>();
    for (const [key, raw] of texts) members.set(key, { raw });
    return new Document(members);
  }

  get size(): number {
    return this.#members.size;
  }

  has(key: string): boolean {
    return this.#members.has(key);
  }

  /** The value, or undefined when the key is absent. Arrays and objects are the document's own: a change is saved. */
  get(key: string): unknown {
    const member = this.#members.get(key);
    if (member === undefined) return undefined;
    if (!('value' in member)) member.value = parse_json(member.raw ?? 'null');
    return member.value;
  }

  /** @throws TypeError at once when the value is nothing that JSON can hold, and the document stays as it was */
  set(key: string, value: unknown): void {
    print_json(value);
    this.#members.set(key, { raw: undefined, value });
  }

  delete(key: string): boolean {
    return this.#members.delete(key);
  }

  keys(): string[] {
    return [...this.#members.keys()];
  }

  /** Every member's JSON text: as it was read, or printed anew if it was set or changed inside. */
  texts(): Map<string, string> {
    const texts = new Map<string, string>();
    for (const [key, member] of this.#members) texts.set(key, memberText(member));
    return texts;
  }

  /** The JSON text of the whole, as Python's `json.dumps(…, separators=(",", ":"))` writes it. */
  toJson(): string {
    return join_members(this.texts());
  }
}

function memberText({ raw, ...rest }: Member): string {
  if (raw === undefined) return print_json(rest.value);
  if (!isMutable(rest.value)) return raw;
  // Parsing may lose what Python can tell apart (1.0 and 1), so a value is held against its own reading, not the text.
  const text = print_json(rest.value);
  return text === print_json(parse_json(raw)) ? raw : text;
}

/** The members of a payload's JSON text; empty for null, broken JSON, or a signed list, which Django answers with 500. */
export function readMembers(json: string | null): Map<string, string> {
  if (json === null) return new Map();
  try {
    return split_members(json) ?? new Map();
  } catch {
    return new Map();
  }
}
