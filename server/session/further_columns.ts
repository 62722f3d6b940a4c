/** The columns of a custom session model besides Django's three. */
import type { Parameter } from '../db/prepared.js';
import { ImproperlyConfigured } from '../errors.js';
import { Document } from './document.js';
import type { SessionRecord } from './store.js';

const OWN_COLUMNS: ReadonlySet<string> = new Set(['session_key', 'session_data', 'expire_date']);

/** A value of a further column. */
export type ColumnValue = string | number | bigint | boolean | Date | null;

/**
 * Computes the values of the model's further columns, as `create_model_instance` does in Django:
 *
 * ```ts
 * columns: (data) => ({ account_id: data.get('_auth_user_id') ?? null })
 * ```
 *
 * Called for a new row, and for one that gets a new key, as at login; then a column that is not returned keeps its value.
 * Other writes do not change these columns. Django computes them at every save.
 */
export type FurtherColumns = (
  data: ReadonlyMap<string, unknown>,
  record: SessionRecord,
) => Readonly<Record<string, ColumnValue | undefined>>;

/** The further columns and their values, for PostgreSQL. */
export function furtherColumns(
  columns: FurtherColumns | undefined,
  record: SessionRecord,
): ReadonlyMap<string, Parameter> {
  const values = new Map<string, Parameter>();
  if (columns === undefined) return values;
  const document = Document.fromTexts(record.texts ?? new Map());
  const data = new Map(document.keys().map((key) => [key, document.get(key)]));
  for (const [column, value] of Object.entries(columns(data, record))) {
    if (OWN_COLUMNS.has(column)) throw new ImproperlyConfigured(`\`columns\` names ${column}, which the store fills.`);
    if (value === undefined) continue;
    values.set(column, value === null || value instanceof Date ? value : String(value));
  }
  return values;
}
