/** The fields of one step's form, checked. */
import { parseJson, ValueError } from '../../index.js';
import type { LabNote } from '../messages/lab_en.js';

/** What the lab itself does not do, as a note in the visitor's language. */
export class LabRefusal extends Error {
  readonly note: LabNote;

  constructor(note: LabNote) {
    super(note);
    this.note = note;
  }
}

interface Fields {
  get(name: string): string | undefined;
  has(name: string): boolean;
}

/** No field is longer: a cookie has 4096 bytes at most, and what is over that is to be refused by set_cookie. */
const LONGEST = 10_000;

export class Form {
  readonly #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** '' where the field is absent. @throws LabRefusal */
  text(name: string): string {
    const text = this.#fields.get(name) ?? '';
    if (text.length > LONGEST) throw new LabRefusal('too_long');
    return text;
  }

  /** A key or a name: not empty. @throws LabRefusal */
  key(name = 'key'): string {
    const text = this.text(name);
    if (text === '') throw new LabRefusal('no_key');
    return text;
  }

  flag(name: string): boolean {
    return this.#fields.has(name);
  }

  /** JSON where it is JSON; otherwise the text itself, so that nobody has to type quotes. */
  value(name = 'value'): unknown {
    const text = this.text(name);
    try {
      return parseJson(text);
    } catch (error) {
      if (error instanceof ValueError) return text;
      throw error;
    }
  }

  /** As `value`; nothing where the field was left empty. */
  optional(name: string): readonly [] | readonly [unknown] {
    return this.text(name) === '' ? [] : [this.value(name)];
  }

  /** An object of JSON. @throws LabRefusal */
  object(name: string): Record<string, unknown> {
    const value = this.value(name);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new LabRefusal('no_object');
    return value as Record<string, unknown>;
  }

  /** A whole number; null where the field was left empty. @throws LabRefusal */
  numberOrNull(name: string): number | null {
    const text = this.text(name).trim();
    if (text === '') return null;
    if (!/^-?\d{1,12}$/.test(text)) throw new LabRefusal('no_number');
    return Number(text);
  }

  /** @throws LabRefusal */
  number(name: string): number {
    const number = this.numberOrNull(name);
    if (number === null) throw new LabRefusal('no_number');
    return number;
  }

  /** What `<input type="datetime-local">` sends, as UTC; null where it was left empty. @throws LabRefusal */
  dateOrNull(name: string): Date | null {
    const text = this.text(name).trim();
    if (text === '') return null;
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text)) throw new LabRefusal('no_date');
    const date = new Date(`${text}Z`);
    // Date takes the 30th of February for the 2nd of March.
    if (Number.isNaN(date.getTime()) || !date.toISOString().startsWith(text)) throw new LabRefusal('no_date');
    return date;
  }

  /** @throws LabRefusal */
  date(name: string): Date {
    const date = this.dateOrNull(name);
    if (date === null) throw new LabRefusal('no_date');
    return date;
  }
}
