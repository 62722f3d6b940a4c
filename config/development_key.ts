/** The SECRET_KEY of development, for the server and for commands that verify its signatures. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDataFolder } from '../server/embedded_database/index.js';
import { hasCode } from '../server/error_code.js';
import type { OwnSettings } from './settings.js';

const fileOf = (folder: string): string => path.join(folder, 'secret_key');

/** The development SECRET_KEY: created once in the data folder, readable only for the owner. */
export function developmentKey({ DATA_FOLDER }: Pick<OwnSettings, 'DATA_FOLDER'>): string {
  const file = fileOf(DATA_FOLDER);
  if (!existsSync(file)) {
    makeDataFolder(DATA_FOLDER);
    try {
      writeFileSync(file, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      // Of two concurrent first starts, the first one's key is used.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  return readFileSync(file, 'utf8').trim();
}

/** The same for commands that compare keys, which must not create one: undefined when there is none. */
export function presentKey({ DATA_FOLDER }: Pick<OwnSettings, 'DATA_FOLDER'>): string | undefined {
  const file = fileOf(DATA_FOLDER);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}
