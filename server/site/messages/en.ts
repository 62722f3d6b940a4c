/** What the pages say in English; the other languages have the same keys. */
import { EXPLAINED_EN } from './explained_en.js';
import { LAB_EN } from './lab_en.js';

export const EN = {
  site_name: 'One login, two worlds',
  site_line: "Koa pages on Django's sessions",
  skip: 'Skip to the content',
  nav_label: 'Pages',
  nav_index1: 'Home 1',
  nav_index2: 'Home 2',
  nav_last_visit: 'Last visit',
  nav_goods: 'Goods',
  nav_sessions: 'Your sessions',
  nav_second_login: 'Second login',
  nav_lab: 'Lab',
  nav_explained: 'Explained',
  log_in: 'Log in',
  log_out: 'Log out',
  languages_label: 'Language',
  footer:
    'The pages work without scripts. What they know about you is in one session row, a note of where you are logged in, and a few cookies.',

  notice_logged_in: (username: string): string => `You are logged in as ${username} now.`,
  notice_logged_out: 'You are logged out.',

  not_logged_in: 'You are not logged in yet',
  not_logged_in_why: 'No session row in the database belongs to a user in this browser.',
  hello: 'Hello,',
  logged_in_as: 'Logged in as',

  index1_title: 'First home page',
  index1_known:
    'This page found your name in the database: the cookie sessionid leads to a row of django_session, the row to you.',
  index1_more: 'The second home page knows you by the same row.',
  index2_title: 'Second home page',
  index2_known:
    'Another page, the same session: nothing had to be asked again. A Django site at this database would know you too.',
  index2_more: 'Back to the first home page.',
  to_index1: 'To the first home page',
  to_index2: 'To the second home page',
  user_id: 'User number',
  username: 'User name',
  last_login: 'Last login',
  never: 'never',
  around: 'Look around',
  about_last_visit: 'When was this browser here last? A cookie knows, and a signed one knows for sure.',
  about_goods: 'A dozen goods, and the ones that you looked at last.',
  about_second_login: 'What happens to the session table when a second person logs in? Try it.',

  login_title: 'Log in',
  password: 'Password',
  captcha: 'Letters and digits in the picture',
  captcha_hint: 'Six characters. Capital or small makes no difference.',
  captcha_alt:
    'A picture of six bent letters and digits. It is there to keep programs out, so this text cannot say them.',
  captcha_new: 'I cannot read it: new picture',
  captcha_wait: (seconds: number): string =>
    `Too many pictures were asked for from your network. Please wait ${seconds === 1 ? 'one second' : `${seconds} seconds`}, then ask for a new picture.`,
  task_start: 'I cannot see the picture: let this device do a task instead',
  task_needs_script:
    'If you cannot see the picture: with scripts allowed on this page, your device can do a task instead.',
  task_working: 'This device is at work. It takes some seconds; you can fill in the form meanwhile.',
  task_progress: 'Progress of the task',
  task_half: 'Half of the task is done.',
  task_done: 'The task is done. You need no picture to log in.',
  task_sending: 'You will be logged in as soon as the task is done.',
  task_failed: 'The task cannot be done on this device or did not reach the server. Please use the picture.',
  login_wrong: 'This user name and password do not match. Both are case-sensitive. Please type the password again.',
  login_captcha_wrong:
    'The characters did not match the picture. Please type the password again, and what the new picture shows.',
  login_task_wrong:
    'The task of your device is too old or was used already. Please type the password again, and let it do a new one.',
  login_captcha_needed: 'Please type the password again, and the characters in the picture.',
  login_throttled_title: 'Too many attempts',
  login_throttled: (seconds: number): string =>
    `There were too many failed attempts. Please wait ${seconds === 1 ? 'one second' : `${seconds} seconds`}, then try again.`,
  login_already: (username: string): string =>
    `You are logged in as ${username}. Logging in as somebody else ends that session.`,
  login_captcha_missing:
    'Your browser did not send the session cookie back. Allow cookies for this site, then try again.',

  sessions_title: 'Your sessions',
  sessions_intro:
    'Where you are logged in. Each is a row of django_session; ending one deletes its row, so that it has ended at Django too.',
  sessions_this: 'This browser',
  sessions_browser: (browser: string, system: string | null): string =>
    system === null ? browser : `${browser} on ${system}`,
  sessions_unknown_browser: 'Unknown browser',
  sessions_unknown_address: 'unknown',
  sessions_address: 'Network',
  sessions_begun: 'Begun',
  sessions_last_seen: 'Last seen',
  sessions_end: 'End this session',
  sessions_end_this: 'Log out here',
  sessions_end_others: (count: number): string =>
    count === 1 ? 'End the other session' : `End all ${count} other sessions`,
  sessions_ended: (count: number): string => {
    if (count === 0) return 'No other session was left.';
    return count === 1 ? 'One session has ended.' : `${count} sessions have ended.`;
  },
  sessions_hidden: (count: number): string => `${count} more are not shown.`,
  sessions_know_title: 'What the server knows',
  sessions_know:
    'The name of the browser as it gives it itself, the network without the last part of the address, and two times: when the session began, or first came here from Django, and when it was last seen, to five minutes. Sessions that were only used at Django are not in the list; a new password ends those, too.',

  password_title: 'Change the password',
  password_intro: 'All your other sessions end with it, here and at Django. This one stays.',
  password_old: 'Old password',
  password_new: 'New password',
  password_again: 'New password again',
  password_old_wrong: 'This is not your password. Please type it again.',
  password_mismatch: 'The two new passwords are not the same.',
  password_impossible: 'Please type a password of 1 to 4096 characters.',
  password_too_short: (least: number): string => `It is too short: it needs ${least} characters or more.`,
  password_too_similar: (field: string): string => `It is too much like your ${field}.`,
  password_too_common: 'Too many people use this one: it is among the first that are guessed.',
  password_entirely_numeric: 'It has nothing but digits.',
  password_fields: {
    username: 'user name',
    'first name': 'first name',
    'last name': 'last name',
    'email address': 'email address',
  } as Readonly<Record<string, string>>,
  password_rules: [
    'Eight characters or more.',
    'Not much like your name or email address.',
    'Not one that many people use.',
    'Not digits alone.',
  ] as readonly string[],
  password_changed: 'The password is changed. Your other sessions have ended.',

  last_visit_title: 'Last visit',
  last_visit_first: 'This is the first visit of this browser, or its cookies were deleted.',
  last_visit_was: 'This browser was here last on',
  last_visit_plain: 'Plain cookie',
  last_visit_signed: 'Signed cookie',
  last_visit_cookie: 'Cookie',
  last_visit_sent: 'What the browser sent',
  last_visit_read: 'What it says',
  last_visit_check: 'Can it be believed?',
  last_visit_nothing: 'nothing',
  last_visit_no_date: 'no date',
  last_visit_unchecked: 'Nobody can tell: whoever has the browser can write anything there.',
  last_visit_verified: 'Yes: the signature is right. This server wrote it.',
  last_visit_forged: 'No: the signature does not match. It was changed, and is not used.',
  last_visit_absent: 'It was not sent.',
  last_visit_differ: 'The two cookies disagree: at least one of them was changed.',
  last_visit_try_title: 'Try it',
  last_visit_try:
    "Open the browser's developer tools, change a digit in each of the two cookies, and load this page again. The plain one is believed as it stands; the signed one is found out.",
  last_visit_not_secret:
    'Signed does not mean secret: everybody can read the time in it. It only cannot be changed unnoticed.',

  goods_title: 'Goods',
  goods_intro: 'Open a few. The last five that you opened are listed below, newest first, each once.',
  goods_viewed: 'Last viewed',
  goods_viewed_none: 'You have not opened any yet.',
  goods_none: 'There are no goods in the database. `npm run migrate` brings a dozen.',
  goods_back: 'All goods',
  goods_price: 'Price',
  goods_missing: (id: string): string => `There is no product with the number ${id}.`,

  second_title: 'A second login',
  second_question: 'What happens to the table django_session when a second person logs in with the same browser?',
  second_answer_title: 'The answer in short',
  second_answer:
    "The first person's row is deleted with everything in it, and the second person gets a new row with a new key. No row ever holds two people's data, and the old cookie opens nothing any more. Rows of other browsers stay as they are.",
  second_now_title: "This browser's row now",
  second_now_none: 'There is no row for this browser: pages alone do not make one.',
  second_step_anonymous: 'Log in as the first person. You come back to this page.',
  second_step_user: 'Now log in as a second person, or as the same one again, and see what becomes of the row.',
  second_do: 'Log in and come back here',
  second_result_title: 'What just happened',
  second_case_anonymous:
    'Nobody was logged in before. The data stays and the key changes: whoever knew the old key (session fixation) knows nothing now.',
  second_case_same:
    'The same person logged in again. The data stays. Django would keep the key too; this server changes it.',
  second_case_other:
    "Another person logged in. The first person's row and all its data were deleted, and a new row was made.",
  second_when: 'When',
  second_before: 'Before',
  second_after: 'After',
  second_key: 'session_key',
  second_user: 'User',
  second_data: 'Data in it',
  second_state: 'In the table?',
  second_state_gone: 'no, deleted',
  second_state_there: 'yes',
  second_state_none: 'there was none',
  second_nobody: 'nobody',
  second_somebody: 'somebody else',
  second_count: (count: number): string => (count === 1 ? 'one value' : `${count} values`),
  second_nothing: 'nothing',
  second_expires: 'Expires',

  lab: LAB_EN,
  explained: EXPLAINED_EN,

  error_400: 'Bad request',
  error_403: 'Not allowed',
  error_404: 'Page not found',
  error_405: 'Wrong method',
  error_413: 'Too large',
  error_429: 'Too many requests',
  error_500: 'Something went wrong here',
  error_503: 'Back in a moment',
  error_400_text: 'The request could not be understood.',
  error_403_text:
    'The form was too old, or it came from another site. Go back, load the page again, and try once more.',
  error_404_text: 'There is nothing at this address.',
  error_405_text: 'This address does not take requests of that kind.',
  error_413_text: 'More was sent than this server takes.',
  error_429_text: 'Please wait a moment, then try again.',
  error_500_text: 'It is not your fault. The error was written down.',
  error_503_text: 'The database does not answer. Please try again in a few seconds.',
  error_503_text_session:
    'The database does not answer. If you are logged in, you stay logged in; please try again in a few seconds.',
  error_original: 'In the words of the program:',
  error_home: 'To the home page',
};

/** Texts by name; those with a blank to fill in are functions. */
export type Messages = typeof EN;
