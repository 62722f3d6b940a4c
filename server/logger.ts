/** What this package asks of a logger: pino's shape, so that any pino logger fits. */

export interface Logger {
  /** What only a developer wants to know. */
  debug(fields: object, message: string): void;
  /** What happened as it should. */
  info(fields: object, message: string): void;
  /** What went wrong and was dealt with. */
  warn(fields: object, message: string): void;
  /** For problems that an operator must look at. */
  error(fields: object, message: string): void;
}
