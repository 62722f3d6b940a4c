/**
 * A proof of work instead of a picture: SHA-256 sums with leading zero bits, accepted once. It needs neither eyes nor ears
 * (WCAG 2.2, 1.1.1 and 3.3.8). Rejected: spoken characters, which deaf-blind people cannot use, and which programs understand
 * better than people do if they are noisy enough to be a test.
 */
import { createHash, randomBytes } from 'node:crypto';
import { CAPTCHA_AGE } from './answer.js';
import { checkNow } from './now.js';
import { type CaptchaSession, takeOut } from './once.js';

/** The session key of the task: `{"challenge": "32 hex digits", "parts": 16, "difficulty": 16, "expires": 1767225600.5}`. */
export const PROOF_OF_WORK_SESSION_KEY = 'proof_of_work';
/** Zero bits at the start of each sum: 2^16 sums for a part on average. */
export const PROOF_OF_WORK_DIFFICULTY = 16;
/**
 * A task of 2^20 sums on average is split into parts, because the time for a single rare sum varies too much: one visitor in
 * twenty would wait three times the average. With 16 parts, one in a hundred waits 1.7 times the average.
 */
export const PROOF_OF_WORK_PARTS = 16;

const MOST_PARTS = 64;
const MOST_DIFFICULTY = 40;
const LONGEST_SOLUTION = MOST_PARTS * 16;
// solution = nonce *( "." nonce ), each a decimal number
const SOLUTION = /^\d{1,15}(?:\.\d{1,15})*$/;

/** The task for a client. */
export interface ProofOfWork {
  /** Hexadecimal digits, new for each task. */
  readonly challenge: string;
  readonly parts: number;
  readonly difficulty: number;
}

/** The difficulty of a task, and the current time. */
export interface ProofOfWorkOptions {
  /** Unix seconds. */
  readonly now: number;
  /** Zero bits, 1 to 40. Each further bit doubles the work. */
  readonly difficulty?: number;
  /** 1 to 64. */
  readonly parts?: number;
}

/**
 * Creates a task, which replaces the session's earlier one. For the client:
 *
 * For each part from 0 to `parts - 1`, find a nonce, a decimal number of at most 15 digits, for which the SHA-256 of the
 * ASCII text `challenge:part:nonce` begins with `difficulty` zero bits. The solution is the nonces, joined by `.`.
 *
 * ```ts
 * ctx.body = newProofOfWork(ctx.session, { now: now() });
 * ```
 *
 * @throws RangeError for a difficulty or a number of parts out of range, ImproperlyConfigured without the time
 */
export function newProofOfWork(session: CaptchaSession, options: ProofOfWorkOptions): ProofOfWork {
  checkNow('newProofOfWork', options);
  const { now, difficulty = PROOF_OF_WORK_DIFFICULTY, parts = PROOF_OF_WORK_PARTS } = options;
  if (!isWithin(difficulty, MOST_DIFFICULTY)) {
    throw new RangeError(`difficulty: ${difficulty} is not allowed. Use a whole number from 1 to ${MOST_DIFFICULTY}.`);
  }
  if (!isWithin(parts, MOST_PARTS)) {
    throw new RangeError(`parts: ${parts} is not allowed. Use a whole number from 1 to ${MOST_PARTS}.`);
  }
  const task = { challenge: randomBytes(16).toString('hex'), parts, difficulty };
  session.set(PROOF_OF_WORK_SESSION_KEY, { ...task, expires: now + CAPTCHA_AGE });
  return task;
}

/**
 * Whether `solution` solves this session's task. The task is used up in any case: it is removed from the row at once, so that
 * of concurrent copies of a request one is accepted. Costs the server one SHA-256 per part.
 *
 * Without a task or session, and for an expired task or a malformed solution: false, no error. Rejects with
 * StoreUnavailable if the store is unavailable, with ImproperlyConfigured without the time.
 *
 * ```ts
 * const passed = await acceptProofOfWork(ctx.session, proof_of_work, { now: now() });
 * ```
 */
export async function acceptProofOfWork(
  session: CaptchaSession,
  solution: string,
  options: { readonly now: number },
): Promise<boolean> {
  checkNow('acceptProofOfWork', options);
  const kept = await takeOut(session, PROOF_OF_WORK_SESSION_KEY);
  if (typeof solution !== 'string' || solution.length > LONGEST_SOLUTION || !SOLUTION.test(solution)) return false;
  if (!isKept(kept) || kept.expires <= options.now) return false;
  const nonces = solution.split('.');
  return nonces.length === kept.parts && nonces.every((nonce, part) => isSolved(kept, part, nonce));
}

/**
 * Solves a task, for tests and for clients that are programs. Blocks the event loop for seconds.
 *
 * ```ts
 * const task = newProofOfWork(ctx.session, { now: now(), difficulty: 4, parts: 2 });
 * await acceptProofOfWork(ctx.session, solveProofOfWork(task), { now: now() }); // true
 * ```
 */
export function solveProofOfWork(task: ProofOfWork): string {
  const nonces = Array.from({ length: task.parts }, (_, part) => {
    let nonce = 0;
    while (!isSolved(task, part, String(nonce))) nonce += 1;
    return nonce;
  });
  return nonces.join('.');
}

function isSolved({ challenge, difficulty }: ProofOfWork, part: number, nonce: string): boolean {
  const sum = createHash('sha256').update(`${challenge}:${part}:${nonce}`, 'latin1').digest();
  // Six bytes, the maximum of readUIntBE; 2^48 is a safe integer.
  return sum.readUIntBE(0, 6) < 2 ** (48 - difficulty);
}

/** Rows are untrusted: another program with the key may have written anything. */
function isKept(value: unknown): value is ProofOfWork & { readonly expires: number } {
  if (typeof value !== 'object' || value === null) return false;
  const { challenge, parts, difficulty, expires } = value as Partial<Record<keyof ProofOfWork | 'expires', unknown>>;
  const isChallenge = typeof challenge === 'string' && /^[0-9a-f]{32}$/.test(challenge);
  return (
    isChallenge && isWithin(parts, MOST_PARTS) && isWithin(difficulty, MOST_DIFFICULTY) && Number.isFinite(expires)
  );
}

function isWithin(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;
}
