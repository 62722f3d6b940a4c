/** A process that keeps uploads and never answers, ended by SIGTERM; for uploads.test.ts. */
import type { AddressInfo } from 'node:net';
import { formBody, TemporaryUploadedFile } from '../../server/http/index.js';
import { appWith, settings } from './serve.js';

const values = settings({ FILE_UPLOAD_TEMP_DIR: process.env['UPLOADS'], FILE_UPLOAD_MAX_MEMORY_SIZE: 0 });
const app = appWith(formBody({ settings: values }), async (ctx) => {
  const paths = ctx.request.FILES.getlist('f').flatMap((file) =>
    file instanceof TemporaryUploadedFile ? [file.temporary_file_path()] : [],
  );
  process.stdout.write(JSON.stringify(paths));
  await new Promise(() => {});
});
const server = app.listen(0, '127.0.0.1', () => process.stdout.write(String((server.address() as AddressInfo).port)));
process.on('SIGTERM', () => process.exit(0));
