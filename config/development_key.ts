/** The SECRET_KEY of development, for the server and for commands that verify its signatures. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDataFolder } from '../server/embedded_database/index.js';
import { hasCode } from '../server/error_code.js';
import { ImproperlyConfigured } from '../server/errors.js';
import type { OwnSettings } from './settings.js';

/**
 * The same for commands that compare keys: they create none.
 * @throws ImproperlyConfigured when there is none yet
 */
export function presentKey(own: Pick<OwnSettings, 'DATA_FOLDER'>): string {
  if (existsSync(fileOf(own))) return developmentKey(own);
  throw new ImproperlyConfigured("SECRET_KEY is not set. Set it to the text of your Django's SECRET_KEY.");
}

const fileOf = ({ DATA_FOLDER }: Pick<OwnSettings, 'DATA_FOLDER'>): string => path.join(DATA_FOLDER, 'secret_key');

/** The development SECRET_KEY: created once in the data folder, readable only for the owner. */
export function developmentKey({ DATA_FOLDER }: Pick<OwnSettings, 'DATA_FOLDER'>): string {
  const file = fileOf({ DATA_FOLDER });
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
