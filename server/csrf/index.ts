/** `koa-django-session/csrf`: Django's protection against cross site request forgery. */
export { CSRF_SESSION_KEY, type CsrfOptions, type CsrfSettings, csrf, get_token, rotate_token } from './middleware.js';
export {
  check_token_format,
  does_token_match,
  mask_secret,
  type NewCsrfSecret,
  newCsrfSecret,
  unmask_token,
} from './token.js';
