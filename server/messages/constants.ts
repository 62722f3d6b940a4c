/** Levels of messages and what they are called (django.contrib.messages.constants). */

export const DEBUG = 10;
export const INFO = 20;
export const SUCCESS = 25;
export const WARNING = 30;
export const ERROR = 40;

/** Level → its tag, which templates use as a class name; MESSAGE_TAGS adds to it. */
export const DEFAULT_TAGS: Readonly<Record<number, string>> = {
  [DEBUG]: 'debug',
  [INFO]: 'info',
  [SUCCESS]: 'success',
  [WARNING]: 'warning',
  [ERROR]: 'error',
};

/** Name → level, for templates that ask for one. */
export const DEFAULT_LEVELS = { DEBUG, INFO, SUCCESS, WARNING, ERROR } as const;
