/** The fields of one step's form, checked. */
import { parseJson, ValueError } from '../../index.js';
import type { LabNote } from '../messages/lab_en.js';

/** The lab refuses a step. The code names a note in the visitor's language. */
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

/** The maximum length of a field. More than the 4096 bytes of a cookie, so that set_cookie can show its own refusal. */
const LONGEST = 10_000;

export class Form {
  readonly #fields: Fields;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** '' if the field is absent. @throws LabRefusal */
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

  /** The parsed value if it is JSON, otherwise the text itself, so that a text needs no quotes. */
  value(name = 'value'): unknown {
    const text = this.text(name);
    try {
      return parseJson(text);
    } catch (error) {
      if (error instanceof ValueError) return text;
      throw error;
    }
  }

  /** As `value`; no argument if the field is empty. */
  optional(name: string): readonly [] | readonly [unknown] {
    return this.text(name) === '' ? [] : [this.value(name)];
  }

  /** A JSON object. @throws LabRefusal */
  object(name: string): Record<string, unknown> {
    const value = this.value(name);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new LabRefusal('no_object');
    return value as Record<string, unknown>;
  }

  /** An integer; null if the field is empty. @throws LabRefusal */
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

  /** The value of `<input type="datetime-local">`, as UTC; null if the field is empty. @throws LabRefusal */
  dateOrNull(name: string): Date | null {
    const text = this.text(name).trim();
    if (text === '') return null;
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text)) throw new LabRefusal('no_date');
    const date = new Date(`${text}Z`);
    // Date reads February 30 as March 2.
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
