/** The captcha's picture, for callers: size, and drawing by modules that are loaded at the first picture. */

export const PICTURE_WIDTH = 360;
export const PICTURE_HEIGHT = 120;

/** The picture of `text` as PNG bytes. */
export async function drawCaptcha(text: string): Promise<Buffer> {
  const { draw } = await import('./draw.js');
  return draw(text);
}
