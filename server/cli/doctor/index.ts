/** `doctor`: will a Django on this database and this server share their logins? */
import { developmentKey } from '../../../config/development_key.js';
import { ownSettings, serverSettings } from '../../../config/settings.js';
import { type Command, EXIT, print, wholeNumber, withDatabase } from '../command.js';
import { DEFAULT_SAMPLE, examine, inWords } from './report.js';

export const command: Command = {
  summary: 'Say whether a Django and this server will share logins.',
  details: `Looks at the table, the newest sessions, and the users, with SECRET_KEY and the other settings of this server. Writes
nothing to the database and shows no secret. The exit code is 0 when all is well and 1 when logins are not shared.`,
  options: {
    json: { type: 'boolean', help: 'For machines.' },
    sample: { type: 'string', value: 'N', help: `How many of the newest sessions to verify (${DEFAULT_SAMPLE}).` },
  },
  async run({ values }) {
    const sample = wholeNumber('sample', { values }, DEFAULT_SAMPLE);
    const settings = serverSettings(() => developmentKey(ownSettings())).django;
    const diagnosis = await withDatabase((knex) => examine(knex, { settings, sample }));
    print(values['json'] === true ? JSON.stringify(diagnosis, null, 2) : inWords(diagnosis));
    return diagnosis.healthy ? EXIT.ok : EXIT.failed;
  },
};
