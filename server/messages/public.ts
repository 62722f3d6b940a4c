/** The exports of messages in the package's main entry: functions by level only as `messages.success(…)`. */
export { DEFAULT_LEVELS, DEFAULT_TAGS } from './constants.js';
export { Message, mark_safe, SafeString } from './message.js';
export { type MessagesOptions, messages } from './middleware.js';
export type { MessageSettings } from './storage/base.js';
