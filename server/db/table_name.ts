/** Table names in settings: `table`, `schema.table`, or in double quotes as in SQL if a name contains a dot. */
import { quoteIdentifier } from './literals.js';

export interface TableName {
  readonly schema?: string;
  readonly table: string;
}

// One or two quoted names with a dot between them: "a ""b""", "my schema"."my.table".
const QUOTED = /^"((?:[^"]|"")+)"(?:\."((?:[^"]|"")+)")?$/;

/** Also reads `crm"."people`: some projects write a schema into `db_table` so, because Django puts quotes around it. */
export function splitTableName(name: string): TableName {
  const [, first, second] = QUOTED.exec(name) ?? QUOTED.exec(name.includes('"."') ? `"${name}"` : '') ?? [];
  if (first !== undefined) {
    const text = first.replaceAll('""', '"');
    return second === undefined ? { table: text } : { schema: text, table: second.replaceAll('""', '"') };
  }
  const dot = name.indexOf('.');
  return dot === -1 ? { table: name } : { schema: name.slice(0, dot), table: name.slice(dot + 1) };
}

/** The inverse of `splitTableName`. */
export function tableNameText({ schema, table }: TableName): string {
  const parts = schema === undefined ? [table] : [schema, table];
  return (parts.some((part) => /[."]/.test(part)) ? parts.map(quoteIdentifier) : parts).join('.');
}
