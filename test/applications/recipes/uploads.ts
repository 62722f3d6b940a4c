import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import Router from '@koa/router';
import Koa from 'koa';
import {
  csrf,
  exceptions,
  formBody,
  type SessionStore,
  type Settings,
  sessions,
  type UploadedFile,
} from 'koa-django-session';

/** Allowed types, by the first bytes of a file: the visitor chooses its name and content type. */
const KINDS: Readonly<Record<string, string>> = { ffd8ff: '.jpg', '89504e': '.png' };

async function kindOf(file: UploadedFile): Promise<string | undefined> {
  for await (const chunk of file.chunks()) return KINDS[chunk.subarray(0, 3).toString('hex')];
  return undefined;
}

export function createApp(settings: Settings, store: SessionStore, folder: string): Koa {
  const app = new Koa();
  app.use(sessions(app, { settings, store }));
  app.use(exceptions());
  app.use(csrf(app, { settings })); // refuses another site's request before its files are read
  app.use(formBody({ settings })); // 413 over FILE_UPLOAD_MAX_BYTES

  const router = new Router();
  router.get('/photos/', (ctx) => {
    ctx.body = `<!doctype html>
<title>Photos</title>
<p>${(ctx.session.get('photos', []) as string[]).length} photos so far</p>
<form method="post" enctype="multipart/form-data">
  <input type="hidden" name="csrfmiddlewaretoken" value="${ctx.csrf_token}">
  <input type="file" name="photo" accept="image/jpeg,image/png" multiple required>
  <button>Upload</button>
</form>`;
  });
  router.post('/photos/', async (ctx) => {
    const photos = await Promise.all(
      ctx.request.FILES.getlist('photo').map(async (file) => ({ file, kind: await kindOf(file) })),
    );
    if (photos.some(({ kind }) => kind === undefined)) ctx.throw(400, 'Send photos as JPEG or PNG.');
    // Uploads are deleted after the request, so copy them, under names of our own.
    for (const { file, kind } of photos) {
      const name = `${randomUUID()}${kind}`;
      await pipeline(file.chunks(), createWriteStream(path.join(folder, name), { flags: 'wx' }));
      ctx.session['photos'] = [...(ctx.session.get('photos', []) as string[]), name];
    }
    ctx.redirect('/photos/');
  });
  app.use(router.routes());
  return app;
}
