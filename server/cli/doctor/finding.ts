/** What `doctor` says: its findings, and the diagnosis that they make together. */

/** `problem` means that logins are not shared, or not safely. */
export type Level = 'ok' | 'note' | 'warning' | 'problem';

export interface Finding {
  /** A name for machines that does not change. */
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
  /** Settings that were found in the database and are not those of this server: name → value. */
  readonly environment: Readonly<Record<string, string>>;
}

/** One line for each setting, as a shell and an .env file read it. */
export const environmentLines = (environment: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(environment).map(
    ([name, value]) => `${name}=${/^[\w./:@=,+-]*$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`}`,
  );
