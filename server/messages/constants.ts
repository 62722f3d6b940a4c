/** Message levels and their names (django.contrib.messages.constants). */

export const DEBUG = 10;
/** The default MESSAGE_LEVEL. */
export const INFO = 20;
/** Something was done. */
export const SUCCESS = 25;
/** Something may fail soon. */
export const WARNING = 30;
/** Something was not done. */
export const ERROR = 40;

/** The tag of each level, for use as a CSS class; MESSAGE_TAGS adds to it. */
export const DEFAULT_TAGS: Readonly<Record<number, string>> = {
  [DEBUG]: 'debug',
  [INFO]: 'info',
  [SUCCESS]: 'success',
  [WARNING]: 'warning',
  [ERROR]: 'error',
};

/** The level of each name, for templates. */
export const DEFAULT_LEVELS = { DEBUG, INFO, SUCCESS, WARNING, ERROR } as const;
