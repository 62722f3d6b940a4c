/** `/language/<code>/?next=…`: a link that sets the language, with the cookie of Django's set_language. */
import { patch_vary_headers } from '../index.js';
import { knownLanguage } from './i18n.js';
import { queryField, safeNext } from './next.js';
import type { Handler, Site } from './site.js';

/**
 * Sets `django_language` as django.views.i18n.set_language does with Django's default settings. Django requires a POST;
 * for a cookie that only selects a language, a link is enough.
 */
export function setLanguage(site: Site): Handler {
  return function setLanguage(ctx, params) {
    const language = knownLanguage(params['code']);
    if (language === undefined) return;
    ctx.redirect(safeNext(ctx, queryField(ctx, 'next'), '/index1/'));
    ctx.response.set_cookie(site.settings.LANGUAGE_COOKIE_NAME, language, { path: '/' });
    ctx.set('Cache-Control', 'no-store');
    patch_vary_headers(ctx, 'Cookie');
  };
}
