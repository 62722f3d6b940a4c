/** `koa-django-session/messages`: Django's messages, which are shown once, on the next page. */
export {
  type AddMessageOptions,
  add_message,
  debug,
  error,
  get_level,
  get_messages,
  info,
  set_level,
  success,
  type WaitingMessages,
  warning,
} from './api.js';
export { DEBUG, DEFAULT_LEVELS, DEFAULT_TAGS, ERROR, INFO, SUCCESS, WARNING } from './constants.js';
export { Message, mark_safe, SafeString } from './message.js';
export { type MessagesOptions, messages } from './middleware.js';
export type { MessageSettings } from './storage/base.js';
