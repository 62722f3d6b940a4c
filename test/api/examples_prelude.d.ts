/** The names that examples in docstrings and documents take as given. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Knex } from 'knex';
import type { Context, default as Koa } from 'koa';
import type {
  AuthenticationBackend,
  Clock,
  Session,
  SessionStore,
  Settings,
  User,
  UserSessions,
  UserTable,
} from 'koa-django-session';
import type { Client } from 'koa-django-session/testing';

declare global {
  const app: Koa;
  const ctx: Context;
  const settings: Settings;
  const knex: Knex;
  const store: SessionStore;
  const logger: Console;
  const session: Session;
  const session_key: string;
  const now: Clock;
  const backends: readonly AuthenticationBackend[];
  const users: UserTable;
  const user: User;
  const userSessions: UserSessions;
  const client: Client;
  /** An application's own function, as its tests call it. */
  const createApp: (options: { settings: Settings; store: SessionStore; now: Clock }) => Koa;
  const throttle: import('koa-django-session').LoginThrottle;
  const Router: typeof import('@koa/router').default;
  const server: import('node:http').Server;
  /** A server of the package ws, as far as examples use it. */
  const wss: {
    on(event: 'connection', listener: (socket: OpenSocket, request: IncomingMessage) => unknown): void;
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: OpenSocket) => void): void;
  };
  const hash: import('node:crypto').Hash;
  const pipeline: typeof import('node:stream/promises').pipeline;
  const createWriteStream: typeof import('node:fs').createWriteStream;
  const path: typeof import('node:path');
  const randomUUID: typeof import('node:crypto').randomUUID;
  const PassThrough: typeof import('node:stream').PassThrough;
  const expect: typeof import('chai').expect;
  /** What a visitor sent, or what a handler knows. */
  const id: string, username: string, password: string, encoded: string, typed: string, proof_of_work: string;
  const text: string, link: string, signed: string, given: string, key: string, folder: string, cart: number[];

  interface OpenSocket {
    close(code: number, reason: string): void;
    once(event: 'close', listener: () => void): void;
  }

  interface Item {
    readonly id: number;
  }
}
