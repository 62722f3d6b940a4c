/**
 * A worker that does the login form's proof of work (server/captcha/proof_of_work.ts). It receives
 * `{challenge, parts, difficulty}`, and posts `{done}` after each part and `{done, solution}` after the last one.
 */
import { sha256 } from './noble/sha2.js';

const text = new TextEncoder();

/** Whether a SHA-256 sum begins with `difficulty` zero bits. */
function hasZeroBits(sum, difficulty) {
  const whole = difficulty >> 3;
  for (let i = 0; i < whole; i += 1) if (sum[i] !== 0) return false;
  return difficulty % 8 === 0 || sum[whole] >> (8 - (difficulty % 8)) === 0;
}

function nonceFor(start, difficulty) {
  let nonce = 0;
  while (!hasZeroBits(sha256(text.encode(start + nonce)), difficulty)) nonce += 1;
  return nonce;
}

self.onmessage = ({ data: { challenge, parts, difficulty } }) => {
  const nonces = [];
  for (let part = 0; part < parts; part += 1) {
    nonces.push(nonceFor(`${challenge}:${part}:`, difficulty));
    const done = nonces.length;
    self.postMessage(done === parts ? { done, solution: nonces.join('.') } : { done });
  }
};
