/** `django-engine`: prints the session engine for Django that merges concurrent changes. */
import { readFileSync } from 'node:fs';
import { installedFile } from '../installed_file.js';
import { type Command, EXIT, print, printError } from './command.js';

export const command: Command = {
  summary: "Print a session engine for Django that keeps both sides' changes.",
  details: `One Python file without dependencies: koa-django-session django-engine > mysite/sessions.py
In Django's settings, set SESSION_ENGINE = 'mysite.sessions'. The table does not change, and SESSION_ENGINE here stays db.`,
  run() {
    print(readFileSync(installedFile('server', 'django', 'sessions.py'), 'utf8').trimEnd());
    printError("Save it in Django's project, as mysite/sessions.py, and set there: SESSION_ENGINE = 'mysite.sessions'");
    return Promise.resolve(EXIT.ok);
  },
};
