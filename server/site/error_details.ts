/** The details on an error page in development: the error's message, in the visitor's language if translated. */
import { type Language, languageTag } from './i18n.js';

export interface ErrorDetail {
  readonly text: string;
  /** The language of `text`, for `lang`. */
  readonly tag: string;
  /** Whether the text is English on a page in another language. */
  readonly isOriginal: boolean;
}

/** Chinese translations of the library's messages for visitors; `$1` is a value in the message. */
const CHINESE: readonly (readonly [sentence: RegExp, chinese: string])[] = [
  [/^CSRF cookie not set\.$/, '请求没有带 CSRF Cookie。'],
  [/^CSRF token missing\.$/, '表单里没有 CSRF 令牌。'],
  [/^CSRF cookie has (?:incorrect length|invalid characters)\.$/, 'CSRF Cookie 的格式不对。'],
  [/^CSRF token from .{1,80} (?:incorrect|has incorrect length|has invalid characters)\.$/, 'CSRF 令牌不对。'],
  [/^Origin checking failed - (.*) does not match any trusted origins\.$/, '来源检查未通过：$1 不是受信任的来源。'],
  [/^Referer checking failed - no Referer\.$/, 'Referer 检查未通过：请求没有带 Referer。'],
  [/^Referer checking failed - Referer is malformed\.$/, 'Referer 检查未通过：Referer 的格式不对。'],
  [
    /^Referer checking failed - Referer is insecure while host is secure\.$/,
    'Referer 检查未通过：本站用 https，Referer 却不是。',
  ],
  [
    /^Referer checking failed - (.*) does not match any trusted origins\.$/,
    'Referer 检查未通过：$1 不是受信任的来源。',
  ],
  [/^Sec-Fetch-Site checking failed - .*$/, 'Sec-Fetch-Site 检查未通过：请求来自别的网站，并且没有带 Origin。'],
  [
    /^The request's session was deleted before the request completed\. .*$/,
    '请求还没完成，会话就被删除了，例如同时退出了登录。',
  ],
  [/^The session ended while this request ran, .*$/, '处理这个请求时会话结束了，例如同时退出了登录。请再试一次。'],
  [/^The database does not answer, or not in time\. .*$/, '数据库没有回应，或者回应太慢。请稍后再试。'],
  [/^The server is starting\.$/, '服务器正在启动。'],
  [/^The body is larger than (\d+) bytes, the value of (\w+)\.$/, '请求的内容超过了 $2 规定的 $1 字节。'],
  [/^The form has more than (\d+) (?:fields|files), the value of (\w+)\.$/, '表单中的项数超过了 $2 规定的 $1。'],
  [/^The form is malformed, or ended before it was complete\.$/, '表单的格式不对，或者没有传完。'],
  [/^The body ended before it was complete\.$/, '请求的内容没有传完。'],
  [/^The body is no JSON\.$/, '请求的内容不是 JSON。'],
  [/^You do not have the permission for this\.$/, '您没有做这件事的权限。'],
];

const CSRF = 'CSRF verification failed. Request aborted. ';

/** Messages of unexpected errors have no translation: they stay in English, and are marked with `lang`. */
export function errorDetail(message: string, language: Language): ErrorDetail {
  const own = { text: message, tag: languageTag('en'), isOriginal: language !== 'en' };
  if (language === 'en') return own;
  const [prefix, sentence] = message.startsWith(CSRF) ? ['CSRF 验证失败：', message.slice(CSRF.length)] : ['', message];
  const known = CHINESE.find(([pattern]) => pattern.test(sentence));
  if (known === undefined) return own;
  return { text: prefix + sentence.replace(...known), tag: languageTag(language), isOriginal: false };
}
