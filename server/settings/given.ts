/** Checks the settings of a caller, which TypeScript may not have checked, when it is called and not at the first request. */
import { ImproperlyConfigured } from '../errors.js';
import type { Settings } from '../settings.js';

/**
 * @param names settings that the caller uses: where they are missing, these settings did not come from defineSettings
 * @throws ImproperlyConfigured for no settings, or those without the defaults
 */
export function checkSettings(
  caller: string,
  settings: Partial<Settings> | undefined,
  ...names: readonly (keyof Settings)[]
): void {
  if (names.every((name) => settings?.[name] !== undefined) && settings?.SECRET_KEY !== '') return;
  throw new ImproperlyConfigured(`${caller} needs \`settings\`: what defineSettings({ SECRET_KEY }) returns.`);
}
