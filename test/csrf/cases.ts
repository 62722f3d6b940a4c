/** Requests and what Django 6.0's CsrfViewMiddleware said to each: its reason, or null, and the cookies it sent. */

export const SECRET = '0123456789ABCDEFabcdefABCDEFabcd';
export const MASKED = 'zyxwvutsrqponmlkjihgfedcbaZYXWVUppppppppppPPPPPPjjjjjjDDDDttXXXX';
export const OTHER = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';

export interface CsrfCase {
  readonly title: string;
  /** POST unless given. */
  readonly method?: string;
  readonly secure?: boolean;
  /** To the host www.example.com. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The secret in `csrftoken` unless given. */
  readonly cookie?: string;
  /** The field of the form, MASKED unless given; null sends no form. */
  readonly token?: string | null;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly reason: string | null;
  /** Name and value of the cookies sent. */
  readonly set?: readonly string[];
}

export const CASES: readonly CsrfCase[] = [
  { title: 'a masked token', reason: null },
  { title: 'the secret itself as token', token: SECRET, reason: null },
  { title: 'a masked cookie of Django 3', cookie: `csrftoken=${MASKED}`, reason: null },
  { title: 'a masked cookie and the secret', cookie: `csrftoken=${MASKED}`, token: SECRET, reason: null },
  { title: 'no cookie', cookie: '', reason: 'CSRF cookie not set.' },
  {
    title: 'an empty cookie',
    cookie: 'csrftoken=',
    reason: 'CSRF cookie has incorrect length.',
    set: ['csrftoken=csrf0000000000000000000000000001'],
  },
  {
    title: 'a cookie of 33',
    cookie: 'csrftoken=0123456789ABCDEFabcdefABCDEFabcda',
    reason: 'CSRF cookie has incorrect length.',
    set: ['csrftoken=csrf0000000000000000000000000001'],
  },
  {
    title: 'a cookie with other characters',
    cookie: 'csrftoken=********************************',
    reason: 'CSRF cookie has invalid characters.',
    set: ['csrftoken=csrf0000000000000000000000000001'],
  },
  {
    title: 'a cookie of 64 with other characters',
    cookie:
      'csrftoken=\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9',
    reason: 'CSRF cookie has invalid characters.',
    set: ['csrftoken=csrf0000000000000000000000000001'],
  },
  {
    title: 'two cookies, the last right',
    cookie: 'csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; csrftoken=0123456789ABCDEFabcdefABCDEFabcd',
    reason: null,
  },
  {
    title: 'two cookies, the last wrong',
    cookie: 'csrftoken=0123456789ABCDEFabcdefABCDEFabcd; csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    reason: 'CSRF token from POST incorrect.',
  },
  { title: 'no token', token: null, reason: 'CSRF token missing.' },
  { title: 'an empty token', token: '', reason: 'CSRF token missing.' },
  { title: 'a token of 16', token: 'aaaaaaaaaaaaaaaa', reason: 'CSRF token from POST has incorrect length.' },
  {
    title: 'a token with other characters',
    token: '!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!',
    reason: 'CSRF token from POST has invalid characters.',
  },
  { title: 'another token', token: OTHER, reason: 'CSRF token from POST incorrect.' },
  {
    title: 'another masked token',
    token: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    reason: 'CSRF token from POST incorrect.',
  },
  {
    title: 'a token with a NUL',
    token:
      '\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000',
    reason: 'CSRF token from POST has invalid characters.',
  },
  {
    title: 'a token beyond ASCII',
    token:
      '\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05\u6e05',
    reason: 'CSRF token from POST has invalid characters.',
  },
  { title: 'the header', headers: { 'X-CSRFToken': MASKED }, token: null, reason: null },
  { title: 'the header with the secret', headers: { 'X-CSRFToken': SECRET }, token: null, reason: null },
  {
    title: 'a wrong header',
    headers: { 'X-CSRFToken': OTHER },
    token: null,
    reason: "CSRF token from the 'X-Csrftoken' HTTP header incorrect.",
  },
  {
    title: 'a short header',
    headers: { 'X-CSRFToken': 'x' },
    token: null,
    reason: "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length.",
  },
  {
    title: 'an odd header',
    headers: { 'X-CSRFToken': '----------------------------------------------------------------' },
    token: null,
    reason: "CSRF token from the 'X-Csrftoken' HTTP header has invalid characters.",
  },
  {
    title: 'an empty header',
    headers: { 'X-CSRFToken': '' },
    token: null,
    reason: "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length.",
  },
  {
    title: 'a wrong field and a right header',
    headers: { 'X-CSRFToken': MASKED },
    token: OTHER,
    reason: 'CSRF token from POST incorrect.',
  },
  { title: 'an empty field and a right header', headers: { 'X-CSRFToken': MASKED }, token: '', reason: null },
  { title: 'PUT with the header', method: 'PUT', headers: { 'X-CSRFToken': MASKED }, token: null, reason: null },
  { title: 'PUT with the field alone', method: 'PUT', reason: 'CSRF token missing.' },
  { title: 'DELETE without', method: 'DELETE', token: null, reason: 'CSRF token missing.' },
  { title: 'PATCH with the header', method: 'PATCH', headers: { 'X-CSRFToken': MASKED }, token: null, reason: null },
  { title: 'an unknown method', method: 'PROPFIND', token: null, reason: 'CSRF token missing.' },
  { title: 'GET', method: 'GET', cookie: '', token: null, reason: null },
  { title: 'HEAD', method: 'HEAD', cookie: '', token: null, reason: null },
  { title: 'OPTIONS', method: 'OPTIONS', cookie: '', token: null, reason: null },
  {
    title: 'GET from a foreign origin',
    method: 'GET',
    headers: { Origin: 'http://evil.example' },
    token: null,
    reason: null,
  },
  { title: 'the own origin', headers: { Origin: 'http://www.example.com' }, reason: null },
  {
    title: 'Origin null',
    headers: { Origin: 'null' },
    reason: 'Origin checking failed - null does not match any trusted origins.',
  },
  {
    title: 'an empty Origin',
    headers: { Origin: '' },
    reason: 'Origin checking failed -  does not match any trusted origins.',
  },
  {
    title: 'a foreign origin',
    headers: { Origin: 'http://evil.example' },
    reason: 'Origin checking failed - http://evil.example does not match any trusted origins.',
  },
  {
    title: 'the own host on another scheme',
    headers: { Origin: 'https://www.example.com' },
    reason: 'Origin checking failed - https://www.example.com does not match any trusted origins.',
  },
  {
    title: 'the own host on another port',
    headers: { Origin: 'http://www.example.com:8080' },
    reason: 'Origin checking failed - http://www.example.com:8080 does not match any trusted origins.',
  },
  {
    title: 'an origin in capitals',
    headers: { Origin: 'HTTP://WWW.EXAMPLE.COM' },
    reason: 'Origin checking failed - HTTP://WWW.EXAMPLE.COM does not match any trusted origins.',
  },
  {
    title: 'an origin with a path',
    headers: { Origin: 'http://www.example.com/' },
    reason: 'Origin checking failed - http://www.example.com/ does not match any trusted origins.',
  },
  {
    title: 'an origin that is no URL',
    headers: { Origin: 'http://[' },
    reason: 'Origin checking failed - http://[ does not match any trusted origins.',
  },
  {
    title: 'an origin that is no text',
    headers: { Origin: '\u00ff' },
    reason: 'Origin checking failed - \u00ff does not match any trusted origins.',
  },
  {
    title: 'an origin trusted exactly',
    headers: { Origin: 'http://exact.example:8000' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'an origin trusted on another port',
    headers: { Origin: 'http://exact.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: 'Origin checking failed - http://exact.example does not match any trusted origins.',
  },
  {
    title: 'a subdomain that is trusted',
    headers: { Origin: 'https://a.b.good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'the domain above the wildcard',
    headers: { Origin: 'https://good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'a subdomain on another scheme',
    headers: { Origin: 'http://a.good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: 'Origin checking failed - http://a.good.example does not match any trusted origins.',
  },
  {
    title: 'a name that only ends alike',
    headers: { Origin: 'https://notgood.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: 'Origin checking failed - https://notgood.example does not match any trusted origins.',
  },
  {
    title: 'user info before a trusted name',
    headers: { Origin: 'https://evil@a.good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'a trusted name in the path',
    headers: { Origin: 'https://evil.example/.good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: 'Origin checking failed - https://evil.example/.good.example does not match any trusted origins.',
  },
  {
    title: 'brackets in an origin',
    headers: { Origin: 'https://[::1].good.example' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  { title: 'https without Referer', secure: true, reason: 'Referer checking failed - no Referer.' },
  {
    title: 'https with the own Referer',
    secure: true,
    headers: { Referer: 'https://www.example.com/x?y#z' },
    reason: null,
  },
  {
    title: 'https with the own host alone',
    secure: true,
    headers: { Referer: 'https://www.example.com' },
    reason: null,
  },
  {
    title: 'https with the port told',
    secure: true,
    headers: { Referer: 'https://www.example.com:443/' },
    reason: 'Referer checking failed - https://www.example.com:443/ does not match any trusted origins.',
  },
  {
    title: 'https with an insecure Referer',
    secure: true,
    headers: { Referer: 'http://www.example.com/' },
    reason: 'Referer checking failed - Referer is insecure while host is secure.',
  },
  {
    title: 'https with a foreign Referer',
    secure: true,
    headers: { Referer: 'https://evil.example/?q=https://www.example.com/' },
    reason:
      'Referer checking failed - https://evil.example/?q=https://www.example.com/ does not match any trusted origins.',
  },
  {
    title: 'https with an empty Referer',
    secure: true,
    headers: { Referer: '' },
    reason: 'Referer checking failed - Referer is malformed.',
  },
  {
    title: 'https with a malformed Referer',
    secure: true,
    headers: { Referer: 'http://http://www.example.com/' },
    reason: 'Referer checking failed - Referer is insecure while host is secure.',
  },
  {
    title: 'https with a Referer of one word',
    secure: true,
    headers: { Referer: 'b' },
    reason: 'Referer checking failed - Referer is malformed.',
  },
  {
    title: 'https with an odd Referer',
    secure: true,
    headers: { Referer: 'https://' },
    reason: 'Referer checking failed - Referer is malformed.',
  },
  {
    title: 'https with brackets in Referer',
    secure: true,
    headers: { Referer: 'https://[' },
    reason: 'Referer checking failed - Referer is malformed.',
  },
  {
    title: 'https with user info in Referer',
    secure: true,
    headers: { Referer: 'https://www.example.com@evil.example/' },
    reason: 'Referer checking failed - https://www.example.com@evil.example/ does not match any trusted origins.',
  },
  {
    title: 'https with a trusted Referer',
    secure: true,
    headers: { Referer: 'https://a.good.example/x' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'https with a trusted Referer and port',
    secure: true,
    headers: { Referer: 'https://port.example:8443/' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: null,
  },
  {
    title: 'https with a trusted Referer on another port',
    secure: true,
    headers: { Referer: 'https://port.example/' },
    settings: {
      CSRF_TRUSTED_ORIGINS: ['https://*.good.example', 'http://exact.example:8000', 'https://port.example:8443'],
    },
    reason: 'Referer checking failed - https://port.example/ does not match any trusted origins.',
  },
  {
    title: 'https with the own origin and no Referer',
    secure: true,
    headers: { Origin: 'https://www.example.com' },
    reason: null,
  },
  {
    title: 'https with the own origin and a foreign Referer',
    secure: true,
    headers: { Origin: 'https://www.example.com', Referer: 'https://evil.example/' },
    reason: null,
  },
  {
    title: 'https with an insecure origin',
    secure: true,
    headers: { Origin: 'http://www.example.com' },
    reason: 'Origin checking failed - http://www.example.com does not match any trusted origins.',
  },
  {
    title: 'https with a Referer below the cookie domain',
    secure: true,
    headers: { Referer: 'https://foo.example.com/' },
    settings: { CSRF_COOKIE_DOMAIN: '.example.com' },
    reason: null,
  },
  {
    title: 'https with a Referer outside of the cookie domain',
    secure: true,
    headers: { Referer: 'https://www.evil.example/' },
    settings: { CSRF_COOKIE_DOMAIN: '.example.com' },
    reason: 'Referer checking failed - https://www.evil.example/ does not match any trusted origins.',
  },
  {
    title: 'https without Referer and a wrong token',
    secure: true,
    token: OTHER,
    reason: 'Referer checking failed - no Referer.',
  },
  {
    title: 'another cookie name',
    cookie: 'csrf2=0123456789ABCDEFabcdefABCDEFabcd',
    settings: { CSRF_COOKIE_NAME: 'csrf2' },
    reason: null,
  },
  {
    title: 'another header name',
    headers: { 'X-CSRF-Token-2': MASKED },
    token: null,
    settings: { CSRF_HEADER_NAME: 'HTTP_X_CSRF_TOKEN_2' },
    reason: null,
  },
  {
    title: 'another header name, wrong',
    headers: { 'X-CSRF-Token-2': 'x' },
    token: null,
    settings: { CSRF_HEADER_NAME: 'HTTP_X_CSRF_TOKEN_2' },
    reason: "CSRF token from the 'X-Csrf-Token-2' HTTP header has incorrect length.",
  },
];
