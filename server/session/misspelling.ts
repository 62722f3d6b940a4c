/**
 * Names that are `modified` or `accessed` with one letter wrong, missing, too many, or swapped with the next. Assigned,
 * such a name would be a key of the session, and what was to be saved would be lost.
 */
import { isOneOff } from '../spelling.js';

// biome-ignore format: a line is enough for the alphabet
type Letter = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm' | 'n' | 'o' | 'p' | 'q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z';

type Not<Right extends Letter> = Exclude<Letter, Right>;

/**
 * For the compiler: such names, and what begins with them. Patterns instead of members, so that no editor lists them.
 * `${string}` makes each a pattern; `modified` and `accessed` themselves fit none. Without their last letter they would,
 * so that slip is left to `meant`.
 */
export type Misspelling = MisspeltModified | MisspeltAccessed;

type MisspeltModified =
  | `${Not<'m'>}odified${string}`
  | `m${Not<'o'>}dified${string}`
  | `mo${Not<'d'>}ified${string}`
  | `mod${Not<'i'>}fied${string}`
  | `modi${Not<'f'>}ied${string}`
  | `modif${Not<'i'>}ed${string}`
  | `modifi${Not<'e'>}d${string}`
  | `modifie${Not<'d'>}${string}`
  | `odified${string}`
  | `mdified${string}`
  | `moified${string}`
  | `modfied${string}`
  | `modiied${string}`
  | `modifed${string}`
  | `modifid${string}`
  | `omdified${string}`
  | `mdoified${string}`
  | `moidfied${string}`
  | `modfiied${string}`
  | `modiifed${string}`
  | `modifeid${string}`
  | `modifide${string}`
  | `${Letter}modified${string}`
  | `m${Letter}odified${string}`
  | `mo${Letter}dified${string}`
  | `mod${Letter}ified${string}`
  | `modi${Letter}fied${string}`
  | `modif${Letter}ied${string}`
  | `modifi${Letter}ed${string}`
  | `modifie${Letter}d${string}`
  | `modifiedd${string}`;

type MisspeltAccessed =
  | `${Not<'a'>}ccessed${string}`
  | `a${Not<'c'>}cessed${string}`
  | `ac${Not<'c'>}essed${string}`
  | `acc${Not<'e'>}ssed${string}`
  | `acce${Not<'s'>}sed${string}`
  | `acces${Not<'s'>}ed${string}`
  | `access${Not<'e'>}d${string}`
  | `accesse${Not<'d'>}${string}`
  | `ccessed${string}`
  | `acessed${string}`
  | `accssed${string}`
  | `accesed${string}`
  | `accessd${string}`
  | `cacessed${string}`
  | `acecssed${string}`
  | `accsesed${string}`
  | `accesesd${string}`
  | `accessde${string}`
  | `${Letter}accessed${string}`
  | `a${Letter}ccessed${string}`
  | `ac${Letter}cessed${string}`
  | `acc${Letter}essed${string}`
  | `acce${Letter}ssed${string}`
  | `acces${Letter}sed${string}`
  | `access${Letter}ed${string}`
  | `accesse${Letter}d${string}`
  | `accessedd${string}`;

const ASSIGNABLE = ['modified', 'accessed'] as const;

/** For the running program: which of the two this name was meant to be, in whatever case. */
export function meant(name: string): (typeof ASSIGNABLE)[number] | undefined {
  if (name.length < 7 || name.length > 9) return undefined;
  const lower = name.toLowerCase();
  return ASSIGNABLE.find((right) => right === lower || isOneOff(lower, right));
}
