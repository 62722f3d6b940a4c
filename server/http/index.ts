/** `koa-django-session/http`: cookies, forms, errors and headers as Django has them. */
export {
  type AllowedHostsOptions,
  allowed_hosts,
  refuseTrace,
  split_domain_port,
  validate_host,
} from './allowed_hosts.js';
export type { AnyContext, Application } from './application.js';
export { type Cookies, parse_cookie } from './cookie_header.js';
export type { CookieOptions } from './cookie_jar.js';
export { MAX_COOKIE_BYTES } from './cookie_size.js';
export {
  type CookieSettings,
  type CookieValue,
  type DeleteCookieOptions,
  type GetSignedCookieOptions,
  type InstallCookiesOptions,
  installCookies,
  type SignedCookieOptions,
} from './cookies.js';
export { escapeHtml } from './error_page.js';
export {
  afterErrorPage,
  type ExceptionLogger,
  type ExceptionOptions,
  exceptions,
  type RenderError,
} from './exceptions.js';
export { type BodySettings, type FormOptions, formBody, jsonBody } from './form.js';
export { http_date, type TimeDelta } from './http_date.js';
export { MultiValueDict } from './multi_value_dict.js';
export { installProxies } from './proxies.js';
export { QueryDict } from './query_dict.js';
export { is_same_domain, url_has_allowed_host_and_scheme } from './safe_url.js';
export { CONTENT_SECURITY_POLICY, type SecurityHeaderOptions, securityHeaders } from './security_headers.js';
export {
  InMemoryUploadedFile,
  TemporaryUploadedFile,
  UploadedFile,
  type UploadedFileHead,
} from './uploaded_file.js';
export { patch_vary_headers } from './vary.js';
