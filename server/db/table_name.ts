/** A table as a setting names it: `table`, `schema.table`, or in double quotes as in SQL, where a name has a dot. */
import { quoteIdentifier } from './literals.js';

export interface TableName {
  readonly schema?: string;
  readonly table: string;
}

// One or two names as SQL quotes them, with a dot between: "a ""b""", "my schema"."my.table".
const QUOTED = /^"((?:[^"]|"")+)"(?:\."((?:[^"]|"")+)")?$/;

/** `crm"."people` is how some Djangos have a schema in `db_table`, because Django puts quotes around it. */
export function splitTableName(name: string): TableName {
  const [, first, second] = QUOTED.exec(name) ?? QUOTED.exec(name.includes('"."') ? `"${name}"` : '') ?? [];
  if (first !== undefined) {
    const text = first.replaceAll('""', '"');
    return second === undefined ? { table: text } : { schema: text, table: second.replaceAll('""', '"') };
  }
  const dot = name.indexOf('.');
  return dot === -1 ? { table: name } : { schema: name.slice(0, dot), table: name.slice(dot + 1) };
}

/** The name that `splitTableName` reads as this table. */
export function tableNameText({ schema, table }: TableName): string {
  const parts = schema === undefined ? [table] : [schema, table];
  return (parts.some((part) => /[."]/.test(part)) ? parts.map(quoteIdentifier) : parts).join('.');
}
