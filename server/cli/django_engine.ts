/** `django-engine`: prints the session engine for Django that merges concurrent changes. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, EXIT, print, printError } from './command.js';

export const command: Command = {
  summary: "Print a session engine for Django that keeps both sides' changes.",
  details: `One Python file without dependencies: koa-django-session django-engine > mysite/sessions.py
In Django's settings, set SESSION_ENGINE = 'mysite.sessions'. The table does not change, and SESSION_ENGINE here stays db.`,
  run() {
    print(readFileSync(find(), 'utf8').trimEnd());
    printError("Save it in Django's project, as mysite/sessions.py, and set there: SESSION_ENGINE = 'mysite.sessions'");
    return Promise.resolve(EXIT.ok);
  },
};

/** The path of the file: in server/django/ of the source and of the package; from dist/ it is further up. */
function find(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'server', 'django', 'sessions.py');
    if (existsSync(file)) return file;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('The file server/django/sessions.py is not part of this installation.');
    folder = parent;
  }
}
