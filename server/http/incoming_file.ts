/** A file while it arrives: in memory at first, in a temporary file from FILE_UPLOAD_MAX_MEMORY_SIZE on. */
import { splitext } from './file_name.js';
import { giveSpace, openTemporaryFile, type TemporaryFile, takeSpace } from './upload_space.js';
import {
  InMemoryUploadedFile,
  TemporaryUploadedFile,
  type UploadedFile,
  type UploadedFileHead,
} from './uploaded_file.js';

export interface IncomingSettings {
  readonly FILE_UPLOAD_MAX_MEMORY_SIZE: number;
  readonly FILE_UPLOAD_MAX_TOTAL_BYTES: number;
  readonly FILE_UPLOAD_TEMP_DIR: string | null;
}

/** The files of one request: their size in memory, and the temporary files to remove at its end. */
export class Uploads {
  readonly #settings: IncomingSettings;
  readonly #all: IncomingFile[] = [];
  inMemory: number;

  /** @param expected the body's Content-Length, on which Django's choice depends; 0 if unknown */
  constructor(settings: IncomingSettings, expected: number) {
    this.#settings = settings;
    // The files of a body larger than the limit go to disk from their first byte on.
    this.inMemory = expected > settings.FILE_UPLOAD_MAX_MEMORY_SIZE ? Number.POSITIVE_INFINITY : 0;
  }

  receive(head: UploadedFileHead): IncomingFile {
    const file = new IncomingFile(head, this.#settings, this);
    this.#all.push(file);
    return file;
  }

  /** Remove all files. May be called twice. */
  async remove(): Promise<void> {
    for (const file of this.#all.splice(0)) await file.remove();
  }
}

export class IncomingFile {
  readonly #head: UploadedFileHead;
  readonly #settings: IncomingSettings;
  readonly #uploads: Uploads;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #file: TemporaryFile | null = null;

  constructor(head: UploadedFileHead, settings: IncomingSettings, uploads: Uploads) {
    this.#head = head;
    this.#settings = settings;
    this.#uploads = uploads;
  }

  async write(chunk: Buffer): Promise<void> {
    takeSpace(chunk.length, this.#settings.FILE_UPLOAD_MAX_TOTAL_BYTES);
    this.#size += chunk.length;
    if (this.#file === null && this.#uploads.inMemory + chunk.length <= this.#settings.FILE_UPLOAD_MAX_MEMORY_SIZE) {
      this.#uploads.inMemory += chunk.length;
      this.#chunks.push(chunk);
      return;
    }
    const file = await this.#onDisk();
    await file.write(chunk);
  }

  /** The temporary file, with the content that was in memory. */
  async #onDisk(): Promise<TemporaryFile> {
    if (this.#file !== null) return this.#file;
    this.#file = await openTemporaryFile(this.#settings.FILE_UPLOAD_TEMP_DIR, splitext(this.#head.name)[1]);
    for (const chunk of this.#chunks.splice(0)) {
      this.#uploads.inMemory -= chunk.length;
      await this.#file.write(chunk);
    }
    return this.#file;
  }

  /** The file for handlers, after its last byte has arrived. */
  async complete(): Promise<UploadedFile> {
    // Django decides per request, so an empty file beside a large one is a temporary file too.
    if (this.#uploads.inMemory === Number.POSITIVE_INFINITY) await this.#onDisk();
    if (this.#file === null) return new InMemoryUploadedFile(this.#head, Buffer.concat(this.#chunks.splice(0)));
    await this.#file.close();
    return new TemporaryUploadedFile(this.#head, this.#size, this.#file.path);
  }

  async remove(): Promise<void> {
    giveSpace(this.#size);
    this.#size = 0;
    await this.#file?.remove();
  }
}
