/** `koa-django-session/csrf`: Django's protection against cross site request forgery. */
export { type CsrfOptions, csrf } from './middleware.js';
export { CSRF_SESSION_KEY, type CsrfSettings, get_token, rotate_token } from './secret.js';
export {
  check_token_format,
  does_token_match,
  mask_secret,
  type NewCsrfSecret,
  newCsrfSecret,
  unmask_token,
} from './token.js';
