/** `doctor`: checks whether this server and a Django on the same database share logins. */
import { presentKey } from '../../../config/development_key.js';
import { ownSettings, serverSettings } from '../../../config/settings.js';
import { type Command, EXIT, print, wholeNumber, withDatabase } from '../command.js';
import { DEFAULT_SAMPLE, examine, inWords } from './report.js';

export const command: Command = {
  summary: 'Check whether Django and this server share logins.',
  details: `Checks the table, the newest sessions and the users against this server's settings. Changes nothing in the database and
shows no secrets. The exit code is 0 if logins are shared, otherwise 1.`,
  options: {
    json: { type: 'boolean', help: 'Print JSON.' },
    sample: { type: 'string', value: 'N', help: `The number of newest sessions to verify (${DEFAULT_SAMPLE}).` },
  },
  async run({ values }) {
    const sample = wholeNumber('sample', { values }, DEFAULT_SAMPLE);
    const settings = serverSettings(() => presentKey(ownSettings())).django;
    const diagnosis = await withDatabase((knex) => examine(knex, { settings, sample }));
    print(values['json'] === true ? JSON.stringify(diagnosis, null, 2) : inWords(diagnosis));
    return diagnosis.healthy ? EXIT.ok : EXIT.failed;
  },
};
