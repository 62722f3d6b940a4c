/** Chooses the visitor's language: the cookie `django_language`, else Accept-Language, else English. */
import type { Context } from 'koa';
import { EN, type Messages } from './messages/en.js';
import { ZH_HANS } from './messages/zh_hans.js';

/** Django's codes (django/conf/global_settings.py, LANGUAGES). */
export const LANGUAGES = ['en', 'zh-hans'] as const;
export type Language = (typeof LANGUAGES)[number];

const MESSAGES: Readonly<Record<Language, Messages>> = { en: EN, 'zh-hans': ZH_HANS };
/** The tags for `lang` and Content-Language, in the letter case that BCP 47 recommends. */
const TAGS: Readonly<Record<Language, string>> = { en: 'en', 'zh-hans': 'zh-Hans' };

const FALLBACK: Language = 'en';
// Django's LANGUAGE_CODE_MAX_LENGTH (utils/translation/trans_real.py), after CVE-2024-39614.
const CODE_MAX_LENGTH = 500;
const HEADER_MAX_LENGTH = 4096;
// RFC 9110 section 12.5.4: a language range, then an optional weight of up to three digits. Surrounding blanks are
// trimmed before: with `\s*` at both ends the pattern would take quadratic time.
const RANGE = /^([a-z]{1,8}(?:-[a-z0-9]{1,8})*|\*)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i;

export function messages(language: Language): Messages {
  return MESSAGES[language];
}

export function languageTag(language: Language): string {
  return TAGS[language];
}

/** The language with this code, or undefined, for URLs and cookies. */
export function knownLanguage(code: string | undefined): Language | undefined {
  return LANGUAGES.find((language) => language === code);
}

/** The visitor's language (django.utils.translation.get_language_from_request). Never throws. */
export function languageOf(ctx: Context, cookieName: string): Language {
  const chosen = ctx.request.COOKIES.get(cookieName);
  return (chosen === undefined ? undefined : supported(chosen)) ?? acceptedLanguage(ctx.get('Accept-Language'));
}

/** The first supported language of an Accept-Language header, by weight, then by order. */
export function acceptedLanguage(header: string): Language {
  const ranges: { readonly code: string; readonly weight: number }[] = [];
  for (const part of header.slice(0, HEADER_MAX_LENGTH).split(',')) {
    const match = RANGE.exec(part.trim());
    if (match === null) continue;
    const weight = match[2] === undefined ? 1 : Number(match[2]);
    if (weight > 0) ranges.push({ code: (match[1] ?? '').toLowerCase(), weight });
  }
  ranges.sort((a, b) => b.weight - a.weight);
  for (const { code } of ranges) {
    if (code === '*') return FALLBACK;
    const language = supported(code);
    if (language !== undefined) return language;
  }
  return FALLBACK;
}

/**
 * The supported language for a tag: equal, with further subtags (`zh-hans-cn`, `en-gb`), or another form of the
 * language (`zh`, `zh-cn`, and also `zh-tw`, because Simplified Chinese is closer than English).
 */
function supported(tag: string): Language | undefined {
  const code = tag.slice(0, CODE_MAX_LENGTH).toLowerCase();
  const primary = code.split('-', 1)[0] ?? '';
  return (
    LANGUAGES.find((language) => code === language || code.startsWith(`${language}-`)) ??
    LANGUAGES.find((language) => language.split('-', 1)[0] === primary)
  );
}
