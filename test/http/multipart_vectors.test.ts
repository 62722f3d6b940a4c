/** Multipart bodies, the usual ones and those made to harm, read as Django reads them. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DjangoError } from '../../server/errors.js';
import { boundaryOf } from '../../server/http/boundary.js';
import { Uploads } from '../../server/http/incoming_file.js';
import type { MultiValueDict } from '../../server/http/multi_value_dict.js';
import { MultipartReader } from '../../server/http/multipart.js';
import { TemporaryUploadedFile, type UploadedFile } from '../../server/http/uploaded_file.js';
import { settings } from './serve.js';

interface Read {
  readonly POST: readonly unknown[];
  readonly FILES: readonly unknown[];
}

interface Entry {
  readonly title: string;
  readonly content_type: string;
  /** Bytes as Latin-1. */
  readonly body: string;
  readonly django: Read | { readonly raises: string };
}

const vectors = JSON.parse(readFileSync(new URL('../django/multipart_vectors.json', import.meta.url), 'utf8')) as {
  readonly settings: Readonly<Record<string, number>>;
  readonly entries: readonly Entry[];
};

/** What is read otherwise than by Django, on purpose: a status, or what is read. */
const OURS: Readonly<Record<string, number | Read>> = {
  // A form that is not whole is refused. Django takes what has come, half a value too.
  'no end': 400,
  'no end, and the second part cut in its value': 400,
  'cut in the headers': 400,
  'cut in a file': 400,
  'cut in the end': 400,
  'another boundary': 400,
  'a body without a boundary': 400,
  // RFC 2046 section 5.1.1: the boundary begins no line of a part. Django takes it for one also inside of a line.
  'a line that begins with the boundary': 400,
  'a line that begins with the boundary and a dash': 400,
  'the boundary inside of a line': { POST: [['a', ['1 --X 2']]], FILES: [] },
  // Django loses the file.
  'a file of a field with an empty name': {
    POST: [],
    FILES: [
      [
        '',
        [
          {
            name: 'a.txt',
            size: 1,
            content_type: '',
            charset: null,
            content_type_extra: {},
            content: '1',
            temporary: false,
          },
        ],
      ],
    ],
  },
  // RFC 2046 section 5.1.1: what stands after the end is to be passed over.
  'an epilogue that looks like a part': { POST: [['a', ['1']]], FILES: [] },
  // Dicer reads no header after a line that is none. Browsers send no such line.
  'a header that is none before the disposition': { POST: [], FILES: [] },
  // Names that are no UTF-8 have U+FFFD, as values. Django leaves out the whole part, its file too.
  'a disposition that is no UTF-8': { POST: [['\ufffd', ['1']]], FILES: [] },
  'a file name in Latin-1': {
    POST: [],
    FILES: [
      [
        'f',
        [
          {
            name: '\ufffd.txt',
            size: 5,
            content_type: 'text/plain',
            charset: null,
            content_type_extra: {},
            content: 'hello',
            temporary: false,
          },
        ],
      ],
    ],
  },
  // Django takes 1024 bytes, which the names of field and file may exceed.
  '2000 bytes of headers': { POST: [['a', ['1']]], FILES: [] },
};

/** Django's exceptions → our statuses. */
const STATUS: Readonly<Record<string, number>> = {
  MultiPartParserError: 400,
  TooManyFieldsSent: 400,
  TooManyFilesSent: 400,
  SuspiciousFileOperation: 400,
  SuspiciousMultipartForm: 400,
  RequestDataTooBig: 413,
};

async function read({ content_type, body }: Entry, chunk_size: number): Promise<Read | number> {
  const values = settings(vectors.settings);
  const bytes = Buffer.from(body, 'latin1');
  const uploads = new Uploads(values, bytes.length);
  try {
    const reader = new MultipartReader(boundaryOf(content_type), values, uploads);
    for (let at = 0; at < bytes.length; at += chunk_size) await reader.write(bytes.subarray(at, at + chunk_size));
    const { fields, files } = await reader.end();
    return { POST: [...fields.lists()], FILES: await describeFiles(files) };
  } catch (error) {
    if (error instanceof DjangoError) return error.status;
    throw error;
  } finally {
    await uploads.remove();
  }
}

async function describeFiles(files: MultiValueDict<UploadedFile>): Promise<unknown[]> {
  const described: unknown[] = [];
  for (const [name, list] of files.lists()) {
    const each: unknown[] = [];
    for (const file of list) {
      each.push({
        name: file.name,
        size: file.size,
        content_type: file.content_type,
        charset: file.charset,
        content_type_extra: Object.fromEntries(file.content_type_extra),
        content: (await file.read()).toString('latin1'),
        temporary: file instanceof TemporaryUploadedFile,
      });
    }
    described.push([name, each]);
  }
  return described;
}

describe('multipart forms', () => {
  for (const entry of vectors.entries) {
    const own = OURS[entry.title];
    const expected = own ?? ('raises' in entry.django ? STATUS[entry.django.raises] : entry.django);
    it(`${entry.title}: ${own === undefined ? 'as Django' : 'not as Django'}`, async () => {
      for (const chunk_size of [1 << 20, 7, 1]) {
        expect(await read(entry, chunk_size), `${chunk_size} bytes at a time`).to.deep.equal(expected);
      }
    });
  }

  it('differ from Django only where this file says so', () => {
    const titles = vectors.entries.map(({ title }) => title);
    expect(Object.keys(OURS).filter((title) => !titles.includes(title))).to.deep.equal([]);
  });
});
