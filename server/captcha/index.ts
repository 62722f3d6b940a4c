/** The captcha: a text by chance, its picture, its answer in the session, and a task instead for who cannot see it. */
export {
  acceptCaptcha,
  CAPTCHA_AGE,
  CAPTCHA_ALPHABET,
  CAPTCHA_LENGTH,
  CAPTCHA_SESSION_KEY,
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
