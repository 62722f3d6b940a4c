/** `sessions revoke`: ends sessions of a user, here and in Django. */
import type { Entry } from '../../auth/user_sessions/table.js';
import { type Command, EXIT, print, printError, UsageError } from '../command.js';
import { SHORT_ID, withSessionsOf } from './tables.js';

export const command: Command = {
  summary: 'End sessions of a user, here and at Django.',
  details: `Ends one session, by its id from "sessions list", or all that have been used at this server. Those used only at Django
are not known here; a new password ends them too.`,
  options: {
    user: { type: 'string', value: 'NAME', help: 'The name of the user (the value of USERNAME_FIELD).' },
    id: { type: 'string', value: 'ID', help: 'The one to end.' },
    all: { type: 'boolean', help: 'End all.' },
  },
  async run({ values }) {
    const { user, id, all = false } = values;
    if ((typeof id === 'string') === (all === true)) throw new UsageError('Say which: --id ID, or --all.');
    if (typeof id === 'string' && !/^[0-9a-f]+$/.test(id)) throw new UsageError('An id has digits and letters a to f.');
    if (typeof id === 'string' && id.length < SHORT_ID)
      throw new UsageError(`An id has ${SHORT_ID} characters or more.`);
    return withSessionsOf(user, async ({ entries, store, table }) => {
      const ended: readonly Entry[] = entries.filter((entry) => all === true || entry.id.startsWith(String(id)));
      for (const { session_key, id: whole } of ended) {
        await store.delete(session_key);
        await table.remove([whole]);
      }
      if (ended.length === 0 && all !== true) {
        printError('This user has no such session (any more).');
        return EXIT.failed;
      }
      print(`Ended ${ended.length} ${ended.length === 1 ? 'session' : 'sessions'}.`);
      return EXIT.ok;
    });
  },
};
