/** The captcha's picture. Loads the drawing modules at the first call. */
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
 * @throws ImproperlyConfigured if @resvg/resvg-js or svg-captcha is not installed
 */
export async function drawCaptcha(text: string): Promise<Buffer> {
  const { draw } = await optionalPackage(DRAWING, () => import('./draw.js'));
  return draw(text);
}
