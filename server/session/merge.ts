/** Joins two concurrent changes of one session: takes its members as loaded, as changed here, and as changed by others. */
import { UpdateError } from '../errors.js';
import type { MemberTexts } from './document.js';

const AUTH_PREFIX = '_auth_user_';

/**
 * Three-way merge by top-level key. A key that only one side changed, added or removed is taken from that side. Where both
 * changed it, `mine` wins, as the later write does in Django. Without `base`, a key that one side removed would come back.
 *
 * @throws UpdateError when both sides changed who is logged in, and not to the same user
 */
export function mergeMembers(base: MemberTexts, mine: MemberTexts, theirs: MemberTexts): Map<string, string> {
  if (loginDiffers(base, mine) && loginDiffers(base, theirs) && loginDiffers(mine, theirs)) {
    throw new UpdateError('Another request changed who is logged in while this one ran.');
  }
  return mergeTexts(base, mine, theirs);
}

/** The same without a look at who is logged in. */
export function mergeTexts(base: MemberTexts, mine: MemberTexts, theirs: MemberTexts): Map<string, string> {
  const merged = new Map<string, string>();
  for (const [key, text] of theirs) {
    const own = mine.get(key);
    const changedHere = own !== base.get(key);
    if (!changedHere) merged.set(key, text);
    else if (own !== undefined) merged.set(key, own);
  }
  for (const [key, text] of mine) {
    if (!theirs.has(key) && text !== base.get(key)) merged.set(key, text);
  }
  return merged;
}

function loginDiffers(one: MemberTexts, other: MemberTexts): boolean {
  const keys = [...one.keys(), ...other.keys()].filter((key) => key.startsWith(AUTH_PREFIX));
  return keys.some((key) => one.get(key) !== other.get(key));
}
