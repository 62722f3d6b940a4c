/** Makes a server listen, with error messages that name the setting. */
import type { Server } from 'node:http';
import { ImproperlyConfigured } from '../errors.js';

export interface Place {
  /** The setting of the port, for the error message. */
  readonly name: 'PORT' | 'METRICS_PORT';
  readonly port: number;
  readonly host: string;
}

/** @throws ImproperlyConfigured when the port is in use or not permitted, or the host is not an address of this machine */
export function listen(server: Server, { name, port, host }: Place): Promise<void> {
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `${name}: ${port} of ${host} is in use. Give another one.`,
    EACCES: `${name}: this account may not listen on ${port} of ${host}. Give a number of 1024 or more.`,
    EADDRNOTAVAIL: `HOST: ${host} is no address of this machine. Give one that is, or 0.0.0.0 for all.`,
    ENOTFOUND: `HOST: ${host} has no address. Give one of this machine, or 0.0.0.0 for all.`,
  };
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => {
      const sentence = sentences[error.code ?? ''];
      reject(sentence === undefined ? error : new ImproperlyConfigured(sentence));
    };
    server.once('error', refuse);
    server.listen(port, host, () => {
      server.off('error', refuse);
      resolve();
    });
  });
}
