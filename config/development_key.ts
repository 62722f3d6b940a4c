/** The SECRET_KEY of development, for the server and for the commands that verify what it signed. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDataFolder } from '../server/embedded_database/index.js';
import type { OwnSettings } from './settings.js';

/** The development SECRET_KEY: made once, kept in the data folder, for the owner's eyes. */
export function developmentKey({ DATA_FOLDER }: Pick<OwnSettings, 'DATA_FOLDER'>): string {
  const file = path.join(DATA_FOLDER, 'secret_key');
  if (!existsSync(file)) {
    makeDataFolder(DATA_FOLDER);
    try {
      writeFileSync(file, `${randomBytes(48).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      // Two first starts at once: the other's key counts.
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    }
  }
  return readFileSync(file, 'utf8').trim();
}
