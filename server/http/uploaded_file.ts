/** Uploaded files, by the names of django.core.files.uploadedfile. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** The sender's description of a file. It comes from the visitor and is not checked against the content. */
export interface UploadedFileHead {
  /** The form's field. */
  readonly field_name: string;
  /** Without folders, control characters and direction marks, at most 255 characters. Not safe as a path on disk. */
  readonly name: string;
  /** As sent, in lower case, without parameters; '' where none was sent. */
  readonly content_type: string;
  /** The `charset` of the content type. */
  readonly charset: string | null;
  /** The other parameters of the content type, charset included, by name in lower case. */
  readonly content_type_extra: ReadonlyMap<string, string>;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * A file of a form. It is deleted when the answer is sent and the handler has returned: copy it to keep it.
 *
 * ```ts
 * for (const photo of ctx.request.FILES.getlist('photo')) {
 *   console.log(photo.name, photo.size, photo.content_type);
 *   for await (const chunk of photo.chunks()) hash.update(chunk);
 * }
 * ```
 */
export abstract class UploadedFile implements UploadedFileHead {
  readonly field_name: string;
  readonly name: string;
  readonly content_type: string;
  readonly charset: string | null;
  readonly content_type_extra: ReadonlyMap<string, string>;
  /** Size in bytes. */
  readonly size: number;

  constructor(head: UploadedFileHead, size: number) {
    this.field_name = head.field_name;
    this.name = head.name;
    this.content_type = head.content_type;
    this.charset = head.charset;
    this.content_type_extra = head.content_type_extra;
    this.size = size;
  }

  /** The whole content. */
  abstract read(): Promise<Buffer>;

  /** The content in chunks, from the start at each call; `Readable.from(file.chunks())` is a stream of it. */
  abstract chunks(chunk_size?: number): AsyncIterableIterator<Buffer>;

  /** Whether `chunks` gives more than one. */
  abstract multiple_chunks(chunk_size?: number): boolean;
}

/**
 * A file in memory, for requests up to FILE_UPLOAD_MAX_MEMORY_SIZE.
 *
 * ```ts
 * const photo = ctx.request.FILES.get('photo');
 * if (photo instanceof InMemoryUploadedFile) ctx.body = await photo.read();
 * ```
 */
export class InMemoryUploadedFile extends UploadedFile {
  readonly #content: Buffer;

  constructor(head: UploadedFileHead, content: Buffer) {
    super(head, content.length);
    this.#content = content;
  }

  read(): Promise<Buffer> {
    return Promise.resolve(this.#content);
  }

  async *chunks(): AsyncIterableIterator<Buffer> {
    yield this.#content;
  }

  multiple_chunks(): boolean {
    return false;
  }
}

/**
 * A file on disk. `read` and `chunks` reject with ENOENT after it was deleted.
 *
 * ```ts
 * import { copyFile } from 'node:fs/promises';
 *
 * const film = ctx.request.FILES.get('film');
 * if (film instanceof TemporaryUploadedFile) await copyFile(film.temporary_file_path(), '/srv/films/1');
 * ```
 */
export class TemporaryUploadedFile extends UploadedFile {
  readonly #path: string;

  constructor(head: UploadedFileHead, size: number, path: string) {
    super(head, size);
    this.#path = path;
  }

  /** The path of the file. You may copy it, or move it within the same file system. */
  temporary_file_path(): string {
    return this.#path;
  }

  read(): Promise<Buffer> {
    return readFile(this.#path);
  }

  async *chunks(chunk_size: number = CHUNK_BYTES): AsyncIterableIterator<Buffer> {
    for await (const chunk of createReadStream(this.#path, { highWaterMark: chunk_size })) yield chunk as Buffer;
  }

  multiple_chunks(chunk_size: number = CHUNK_BYTES): boolean {
    return this.size > chunk_size;
  }
}
