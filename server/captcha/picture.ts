/** The captcha's picture, for callers: drawn by modules that are loaded at the first picture. */
import { optionalPackage } from '../optional_package.js';

const DRAWING = { what: "The captcha's pictures", packages: ['@resvg/resvg-js', 'svg-captcha'] };

/**
 * The picture of `text` as PNG bytes.
 *
 * ```ts
 * ctx.type = 'png';
 * ctx.body = await drawCaptcha(newCaptchaText());
 * ```
 *
 * @throws ImproperlyConfigured when @resvg/resvg-js or svg-captcha is not installed
 */
export async function drawCaptcha(text: string): Promise<Buffer> {
  const { draw } = await optionalPackage(DRAWING, () => import('./draw.js'));
  return draw(text);
}
