/**
 * Parses `multipart/form-data` (RFC 7578) into fields and files, as django.http.multipartparser. Dicer splits the
 * parts.
 */
import { Dicer } from '@fastify/busboy';
import { RequestDataTooBig, SuspiciousOperation } from '../errors.js';
import type { Settings } from '../settings.js';
import { Base64Decoder, b64decode } from './base64.js';
import { DelimiterCheck } from './boundary.js';
import type { Uploads } from './incoming_file.js';
import { appendlist, MultiValueDict } from './multi_value_dict.js';
import { type PartHead, type RawHeaders, readPartHead } from './part_head.js';
import { QueryDict, tooManyFields } from './query_dict.js';
import type { UploadedFile, UploadedFileHead } from './uploaded_file.js';

export type MultipartSettings = Pick<
  Settings,
  'DATA_UPLOAD_MAX_MEMORY_SIZE' | 'DATA_UPLOAD_MAX_NUMBER_FIELDS' | 'DATA_UPLOAD_MAX_NUMBER_FILES'
>;

export interface Multipart {
  readonly fields: QueryDict;
  readonly files: MultiValueDict<UploadedFile>;
}

/** The largest header block of a part. Django accepts 1024 bytes, which a long file name may exceed. */
const MAX_HEADER_BYTES = 8192;

const malformed = (cause?: Error): SuspiciousOperation =>
  new SuspiciousOperation(
    'The form is malformed, or ended before it was complete.',
    cause === undefined ? {} : { cause },
  );

/** Receives the content of one part. */
interface Receiver {
  write(chunk: Buffer): void | Promise<void>;
  end(): void | Promise<void>;
}

const NOTHING: Receiver = { write() {}, end() {} };

interface OpenPart {
  readonly stream: Dicer.PartStream;
  /** null until its headers were read. */
  receiver: Receiver | null;
}

/**
 * Reads one form, chunk by chunk. Files go to `uploads`, which the caller removes, also when this rejects: with 400 for
 * a malformed form and for too many fields or files, 413 for more than DATA_UPLOAD_MAX_MEMORY_SIZE of fields, 503 if
 * files cannot be stored.
 */
export class MultipartReader {
  readonly #settings: MultipartSettings;
  readonly #uploads: Uploads;
  readonly #delimiters: DelimiterCheck;
  readonly #dicer: Dicer;
  readonly #finished: Promise<void>;
  readonly #fields = new Map<string, string[]>();
  readonly #files = new Map<string, UploadedFile[]>();
  /** Unprocessed parts, in order. All but the last have ended. */
  readonly #open: OpenPart[] = [];
  #failure: Error | null = null;
  #received = 0;
  #fieldBytes = 0;
  #fieldCount = 0;
  #fileCount = 0;

  constructor(boundary: string, settings: MultipartSettings, uploads: Uploads) {
    this.#settings = settings;
    this.#uploads = uploads;
    this.#delimiters = new DelimiterCheck(boundary);
    const options = {
      boundary,
      // Dicer truncates at this size; a block between both sizes is refused as too large.
      maxHeaderSize: 2 * MAX_HEADER_BYTES,
      // Each part is read completely after each chunk, so that Dicer never waits for it.
      partHwm: Number.MAX_SAFE_INTEGER,
    };
    this.#dicer = new Dicer(options);
    this.#dicer.on('part', (stream: Dicer.PartStream) => this.#begin(stream));
    this.#finished = new Promise((resolve) => {
      this.#dicer.on('finish', resolve);
      this.#dicer.on('error', (error: Error) => {
        this.#failure ??= malformed(error);
        resolve();
      });
    });
  }

  async write(chunk: Buffer): Promise<void> {
    this.#received += chunk.length;
    this.#delimiters.push(chunk);
    this.#dicer.write(chunk);
    for (;;) {
      if (this.#failure !== null) throw this.#failure;
      const part = this.#open[0];
      if (part === undefined) return;
      await empty(part);
      if (this.#open.length === 1) return;
      this.#open.shift();
      await this.#complete(part);
    }
  }

  /** The form, after its last chunk was written. An empty body is an empty form. */
  async end(): Promise<Multipart> {
    if (this.#received > 0) {
      this.#dicer.end();
      await this.#finished;
      if (this.#failure !== null) throw this.#failure;
      for (const part of this.#open.splice(0)) await this.#complete(part);
    }
    return { fields: new QueryDict(this.#fields), files: new MultiValueDict(this.#files) };
  }

  /** Called while Dicer processes a chunk, like the header handler: errors are stored until the chunk is processed. */
  #begin(stream: Dicer.PartStream): void {
    stream.on('error', () => {});
    const part: OpenPart = { stream, receiver: null };
    const { DATA_UPLOAD_MAX_NUMBER_FIELDS: fields, DATA_UPLOAD_MAX_NUMBER_FILES: files } = this.#settings;
    if (this.#open.length > fields + files) this.#failure ??= tooManyFields(fields);
    if (this.#failure !== null) {
      stream.resume();
      return;
    }
    this.#open.push(part);
    stream.on('header', (headers: object) => {
      try {
        part.receiver = this.#receiverOf(headers as RawHeaders);
      } catch (error) {
        this.#failure ??= error as Error;
      }
    });
  }

  #receiverOf(headers: RawHeaders): Receiver {
    if (bytesOf(headers) > MAX_HEADER_BYTES) {
      throw new SuspiciousOperation(`A part of the form has more than ${MAX_HEADER_BYTES} bytes of headers.`);
    }
    const head = readPartHead(headers);
    if (head.kind !== 'file') this.#countField();
    else this.#countFile();
    if (head.kind === 'field') return this.#fieldReceiver(head);
    return head.kind === 'file' && head.head !== null ? this.#fileReceiver(head.head, head.base64) : NOTHING;
  }

  #fieldReceiver({ name, base64 }: Extract<PartHead, { kind: 'field' }>): Receiver {
    const chunks: Buffer[] = [];
    // As in Django, two more bytes: the separators in a URL-encoded form.
    this.#countFieldBytes(name.length + 2);
    return {
      write: (chunk) => {
        this.#countFieldBytes(chunk.length);
        chunks.push(chunk);
      },
      end: () => {
        const raw = Buffer.concat(chunks);
        const value = (base64 ? b64decode(raw.toString('latin1')) : null) ?? raw;
        appendlist(this.#fields, name, value.toString('utf8'));
      },
    };
  }

  #fileReceiver(head: UploadedFileHead, base64: boolean): Receiver {
    const file = this.#uploads.receive(head);
    const decoder = base64 ? new Base64Decoder() : null;
    return {
      write: (chunk) => file.write(decoder?.decode(chunk) ?? chunk),
      end: async () => {
        decoder?.end();
        appendlist(this.#files, head.field_name, await file.complete());
      },
    };
  }

  async #complete({ receiver }: OpenPart): Promise<void> {
    // Headers without an end: one more field, as in Django.
    if (receiver === null) this.#countField();
    await receiver?.end();
  }

  #countField(): void {
    const most = this.#settings.DATA_UPLOAD_MAX_NUMBER_FIELDS;
    this.#fieldCount += 1;
    if (this.#fieldCount > most) throw tooManyFields(most);
  }

  #countFile(): void {
    const most = this.#settings.DATA_UPLOAD_MAX_NUMBER_FILES;
    this.#fileCount += 1;
    if (this.#fileCount > most) {
      throw new SuspiciousOperation(`The form has more than ${most} files, the value of DATA_UPLOAD_MAX_NUMBER_FILES.`);
    }
  }

  #countFieldBytes(bytes: number): void {
    const most = this.#settings.DATA_UPLOAD_MAX_MEMORY_SIZE;
    this.#fieldBytes += bytes;
    if (this.#fieldBytes > most) {
      throw new RequestDataTooBig(
        `The fields of the form are larger than ${most} bytes, the value of DATA_UPLOAD_MAX_MEMORY_SIZE.`,
      );
    }
  }
}

/** Process the data that has arrived for a part. */
async function empty({ stream, receiver }: OpenPart): Promise<void> {
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) return;
    await receiver?.write(chunk);
  }
}

function bytesOf(headers: RawHeaders): number {
  let bytes = 0;
  for (const [name, values] of Object.entries(headers)) {
    for (const value of values) bytes += name.length + value.length + 4;
  }
  return bytes;
}
