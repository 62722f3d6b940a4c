/** `koa-django-session/testing`: tools for an application's tests, for any test runner. */
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
