/** As much of PostgreSQL's wire protocol (manual, chapter "Message Formats") as a proxy needs to see statements end. */

/** Cuts a stream into messages: a type byte, a length that counts itself, a body; the first of a client has no type. */
export class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #typeless: boolean;

  constructor(from: 'client' | 'server') {
    this.#typeless = from === 'client';
  }

  push(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const whole: Buffer[] = [];
    for (;;) {
      const head = this.#typeless ? 0 : 1;
      if (this.#rest.length < head + 4) return whole;
      const end = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < end) return whole;
      whole.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
      this.#typeless = false;
    }
  }
}

/** Knows of one connection which statement each message of the client runs, and which one the server has just ended. */
export class Conversation {
  readonly #prepared = new Map<string, string>();
  #bound = '';
  readonly #running: string[] = [];

  /** @returns the statement's text where this message makes the server run one: a Query, or an Execute */
  sent(message: Buffer): string | undefined {
    const [first = '', second = ''] = texts(message);
    switch (typeOf(message)) {
      case 'P':
        this.#prepared.set(first, second);
        return undefined;
      case 'B':
        this.#bound = this.#prepared.get(second) ?? '';
        return undefined;
      case 'Q':
        return this.#run(first);
      case 'E':
        return this.#run(this.#bound);
      default:
        return undefined;
    }
  }

  /**
   * @returns the statements that have ended for good. At ReadyForQuery: CommandComplete comes before an implicit COMMIT
   */
  received(message: Buffer): readonly string[] {
    return typeOf(message) === 'Z' ? this.#running.splice(0) : [];
  }

  #run(statement: string): string {
    this.#running.push(statement);
    return statement;
  }
}

const typeOf = (message: Buffer): string => String.fromCharCode(message[0] ?? 0);

/** The first two zero-terminated texts of a message's body. */
function texts(message: Buffer): string[] {
  const found: string[] = [];
  let start = 5;
  while (found.length < 2) {
    const end = message.indexOf(0, start);
    if (end < 0) break;
    found.push(message.toString('utf8', start, end));
    start = end + 1;
  }
  return found;
}
