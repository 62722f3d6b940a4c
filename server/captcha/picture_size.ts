/** How large the captcha's picture is. */

/** Pixels. */
export const PICTURE_WIDTH = 360;
/** Pixels. */
export const PICTURE_HEIGHT = 120;
