/** Formats values for pages: times, prices, shortened secrets. */
import { type Language, languageTag } from './i18n.js';

/** A time, formatted for people and for `<time datetime>`. */
export interface Moment {
  readonly iso: string;
  readonly text: string;
}

/** A time in the visitor's language, in UTC because the server does not know the visitor's time zone. */
export function moment(date: Date, language: Language): Moment {
  return { iso: date.toISOString(), text: dateFormats[language].format(date) };
}

export function price(cents: number, language: Language): string {
  return priceFormats[language].format(cents / 100);
}

/** The start of a secret: enough to tell two apart, not enough to use one. */
export function shorten(text: string, kept = 4): string {
  return text.length <= kept ? text : `${Array.from(text).slice(0, kept).join('')}…`;
}

const dateFormat = (language: Language): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat(languageTag(language), {
    dateStyle: 'long',
    timeStyle: 'long',
    timeZone: 'UTC',
    hourCycle: 'h23',
  });
const priceFormat = (language: Language): Intl.NumberFormat =>
  new Intl.NumberFormat(languageTag(language), { style: 'currency', currency: 'EUR' });

// Cached: creating a format is a thousand times as expensive as using it.
const dateFormats: Readonly<Record<Language, Intl.DateTimeFormat>> = {
  en: dateFormat('en'),
  'zh-hans': dateFormat('zh-hans'),
};
const priceFormats: Readonly<Record<Language, Intl.NumberFormat>> = {
  en: priceFormat('en'),
  'zh-hans': priceFormat('zh-hans'),
};
