/**
 * The captcha: a random text, its picture, its solution in the session, and a proof of work for visitors who cannot see
 * it.
 */
export {
  acceptCaptcha,
  CAPTCHA_AGE,
  CAPTCHA_ALPHABET,
  CAPTCHA_LENGTH,
  CAPTCHA_SESSION_KEY,
  type CaptchaSettings,
  captchaHash,
  keepCaptcha,
  newCaptchaText,
} from './answer.js';
export type { CaptchaSession } from './once.js';
export { drawCaptcha } from './picture.js';
export { PICTURE_HEIGHT, PICTURE_WIDTH } from './picture_size.js';
export {
  acceptProofOfWork,
  newProofOfWork,
  PROOF_OF_WORK_DIFFICULTY,
  PROOF_OF_WORK_PARTS,
  PROOF_OF_WORK_SESSION_KEY,
  type ProofOfWork,
  type ProofOfWorkOptions,
  solveProofOfWork,
} from './proof_of_work.js';
