/** The captcha: a text by chance, its picture, and its answer in the session. */
export {
  acceptCaptcha,
  CAPTCHA_AGE,
  CAPTCHA_ALPHABET,
  CAPTCHA_LENGTH,
  CAPTCHA_SESSION_KEY,
  type CaptchaSession,
  captchaHash,
  keepCaptcha,
  newCaptchaText,
} from './answer.js';
export { drawCaptcha, PICTURE_HEIGHT, PICTURE_WIDTH } from './picture.js';
