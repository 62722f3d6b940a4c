/** `koa-django-session/testing`: what an application's tests need, for mocha and any other runner. */
export { MemoryStore } from '../session/stores/memory.js';
export { Client, type ClientOptions } from './client.js';
export { type TestClock, testClock } from './clock.js';
export { ClientCookies } from './cookies.js';
export {
  type ClientBodyRequest,
  type ClientHeaders,
  type ClientRequest,
  HttpClient,
  type HttpClientOptions,
  type TestedApplication,
} from './http_client.js';
export { ClientResponse } from './response.js';
