/** What a person can do about the database's errors. PostgreSQL's own words name neither a setting nor a command. */

const SENTENCES: ReadonlyMap<unknown, string> = new Map([
  ['28P01', 'The database refuses the user or the password of DATABASE_URL.'],
  ['28000', 'The database refuses the user or the password of DATABASE_URL.'],
  ['3D000', 'There is no database of the name that DATABASE_URL gives. Make it first: createdb NAME.'],
  ['42P01', 'A table is missing. Run: koa-django-session migrate'],
  ['55P03', 'Another process holds what this command needs. Try again later.'],
  ['25006', 'The database is read-only. Use the primary server in DATABASE_URL.'],
  ['53300', 'The database has no connection left. Try again later.'],
  ['42501', "The database's user may not do that. Grant it the right, or use another user in DATABASE_URL."],
]);

/** The sentence for an error of the database, by its SQLSTATE; undefined where there is none. */
export const sentenceOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? SENTENCES.get(error.code) : undefined;
