/** Names of tables as Django makes them (Options.db_table). */
import { createHash } from 'node:crypto';
import type { UserModelSettings } from '../settings.js';

const LONGEST_NAME = 63;

/** Django's `truncate_name`: PostgreSQL cuts longer names, so Django ends them with four digits of their MD5. */
export function truncateName(name: string): string {
  const characters = [...name];
  if (characters.length <= LONGEST_NAME) return name;
  return characters.slice(0, LONGEST_NAME - 4).join('') + createHash('md5').update(name).digest('hex').slice(0, 4);
}

/** `accounts.User` → `accounts_user`. The app's label is taken as it is written. */
export function userTableName({
  AUTH_USER_MODEL,
  AUTH_USER_TABLE,
}: Pick<UserModelSettings, 'AUTH_USER_MODEL' | 'AUTH_USER_TABLE'>): string {
  const [label = '', model = ''] = AUTH_USER_MODEL.split('.');
  return AUTH_USER_TABLE ?? truncateName(`${label}_${model.toLowerCase()}`);
}
