/** A Django project with the session engine that `koa-django-session django-engine` prints. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { koaCommand, type Values } from './servers.js';

export interface EngineProject {
  /** What a Django needs in its environment to use the engine; Koa's half does not look at it. */
  readonly values: { readonly PYTHONPATH: string; readonly DJANGO_SESSION_ENGINE: string };
  remove(): Promise<void>;
}

/** A folder with mysite/sessions.py, as DJANGO.md says to make it. */
export async function engineProject(): Promise<EngineProject> {
  const folder = await mkdtemp(join(tmpdir(), 'koa-django-session-engine-'));
  await mkdir(join(folder, 'mysite'));
  await writeFile(join(folder, 'mysite/__init__.py'), '');
  const noValues: Values = { DATABASE_URL: '', SECRET_KEY: '' };
  await writeFile(join(folder, 'mysite/sessions.py'), await koaCommand(noValues, 'django-engine'));
  return {
    values: { PYTHONPATH: folder, DJANGO_SESSION_ENGINE: 'mysite.sessions' },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
