/** The types of `doctor`'s result: a diagnosis of several findings. */

/** `problem` means that logins are not shared, or not safely. */
export type Level = 'ok' | 'note' | 'warning' | 'problem';

export interface Finding {
  /** A stable name for scripts. */
  readonly check: string;
  readonly level: Level;
  /** What was found, in words. */
  readonly text: string;
  /** What to do. */
  readonly advice?: string;
}

export interface Diagnosis {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  /** Settings found in the database that differ from this server's: name → value. */
  readonly environment: Readonly<Record<string, string>>;
}

/** One line per setting, quoted for a shell and an .env file. */
export const environmentLines = (environment: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(environment).map(
    ([name, value]) => `${name}=${/^[\w./:@=,+-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`,
  );
