/** What an error's page says in development, in the visitor's language. */
import { expect } from 'chai';
import { errorDetail } from '../../server/site/error_details.js';
import { siteOfSuite, Visitor } from './visitor.js';

/** Headers and fields with which a form is refused, and the detail that a reader of Chinese gets. */
const REFUSALS: readonly (readonly [Record<string, string>, Record<string, string>, string])[] = [
  [{}, {}, '表单里没有 CSRF 令牌。'],
  [{}, { csrfmiddlewaretoken: 'a'.repeat(32) }, 'CSRF 令牌不对。'],
  [{}, { csrfmiddlewaretoken: 'short' }, 'CSRF 令牌不对。'],
  [{ 'X-CSRFToken': 'a'.repeat(32) }, {}, 'CSRF 令牌不对。'],
  [{ Cookie: 'a=b' }, {}, '请求没有带 CSRF Cookie。'],
  [{ Cookie: 'csrftoken=short' }, {}, 'CSRF Cookie 的格式不对。'],
  [{ Origin: 'https://evil.example' }, {}, '来源检查未通过：https://evil.example 不是受信任的来源。'],
  [{ 'Sec-Fetch-Site': 'cross-site' }, {}, 'Sec-Fetch-Site 检查未通过：请求来自别的网站，并且没有带 Origin。'],
];

describe("an error's detail", () => {
  const site = siteOfSuite({ lab: true });

  for (const [headers, fields, sentence] of REFUSALS) {
    it(`says "${sentence}" on a Chinese page`, async () => {
      const visitor = new Visitor(site);
      await visitor.token();
      const answer = await visitor.postRaw('/logout/', fields, { 'Accept-Language': 'zh', ...headers });
      expect(answer.text).to.include(`<span lang="zh-Hans">CSRF 验证失败：${sentence}</span>`);
    });
  }

  it('that has no translation is marked as the original', () => {
    const [english, chinese] = (['en', 'zh-hans'] as const).map((language) => errorDetail('TypeError: x', language));
    expect(english).to.deep.equal({ text: 'TypeError: x', tag: 'en', isOriginal: false });
    expect(chinese).to.deep.equal({ text: 'TypeError: x', tag: 'en', isOriginal: true });
  });

  it('keeps what a visitor sent as text', () => {
    const message =
      "CSRF verification failed. Request aborted. Origin checking failed - $& $' does not match any trusted origins.";
    expect(errorDetail(message, 'zh-hans').text).to.equal("CSRF 验证失败：来源检查未通过：$& $' 不是受信任的来源。");
  });
});
