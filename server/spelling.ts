/** Finds the known name nearest to an unknown one. */

/** Whether two names differ by one wrong, missing, extra or transposed character. */
export function isOneOff(wrong: string, right: string): boolean {
  if (Math.abs(wrong.length - right.length) > 1) return false;
  let at = 0;
  while (at < right.length && wrong[at] === right[at]) at += 1;
  const [restOfWrong, restOfRight] = [wrong.slice(at), right.slice(at)];
  const isSwapped = restOfWrong[0] === restOfRight[1] && restOfWrong[1] === restOfRight[0];
  return (
    restOfWrong.slice(1) === restOfRight.slice(1) ||
    restOfWrong === restOfRight.slice(1) ||
    restOfWrong.slice(1) === restOfRight ||
    (isSwapped && restOfWrong.slice(2) === restOfRight.slice(2))
  );
}

const letters = (name: string): string => name.replaceAll('_', '').toUpperCase();

/**
 * The known name that differs from `name` by one character, or only by capitals and underscores: `sessionCookieAge`.
 */
export function nearestName<Name extends string>(name: string, known: readonly Name[]): Name | undefined {
  return known.find((right) => letters(name) === letters(right)) ?? known.find((right) => isOneOff(name, right));
}

/** What to write instead of an unknown name: a sentence. */
export function instead(name: string, known: readonly string[]): string {
  const right = nearestName(name, known);
  return right === undefined ? `Known: ${known.join(', ')}.` : `Write ${right}.`;
}
