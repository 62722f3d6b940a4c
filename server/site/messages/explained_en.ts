/** "Sessions, explained", in English: what each page claims, and the button beside it. */
export const EXPLAINED_EN = {
  title: 'Sessions, explained',
  intro:
    'Twelve short pages. Beside each sentence is a button that does it, to your own session, and shows what happened.',
  to_lab: 'To the lab',
  chapter: (number: number, count: number): string => `${number} of ${count}`,
  previous: 'Back:',
  next: 'Next:',
  effect: 'What happened',
  typed: 'What the picture shows',
  more: 'Everything about this step, in the lab',
  chapters: {
    what: {
      title: 'What a session is',
      claims: {
        dictionary: {
          text: 'A session is a small dictionary that the server keeps for one browser, from one request to the next.',
          press: 'Put a theme into it',
        },
        again: { text: 'The next request finds it again.', press: 'Ask for the theme' },
        key: {
          text: 'The browser holds nothing of it but a key, in a cookie.',
          press: 'Look at the cookie',
        },
        end: {
          text: 'Ended, it is gone on both sides: the row is deleted, and the browser is told to forget the key.',
          press: 'End it',
        },
      },
    },
    http: {
      title: 'HTTP has no memory',
      claims: {
        alone: {
          text: 'Every request stands alone. All that the server knows of you is what this one request brings along.',
          press: 'Send a request',
        },
        without: {
          text: 'Without its cookie a browser is a stranger, although the row is still there.',
          press: 'Delete the cookie, keep the row',
        },
        stranger: {
          text: 'As soon as something is to be remembered, the stranger gets a new row and a new key.',
          press: 'Remember something',
        },
      },
    },
    cookies: {
      title: 'Cookies',
      claims: {
        set: {
          text: 'A server sets a cookie by one header of its answer: Set-Cookie.',
          press: 'Set colour to blue',
        },
        back: {
          text: 'From then on the browser sends it back with each request, without being asked.',
          press: 'Read it',
        },
        delete: {
          text: 'To delete it, the server sets it once more, with an end that has passed.',
          press: 'Delete it',
        },
      },
    },
    headers: {
      title: 'What stands in Set-Cookie',
      claims: {
        max_age: {
          text: 'Max-Age: for how many seconds the browser keeps it. Without it, until the browser closes.',
          press: 'Set one for a minute',
        },
        httponly: {
          text: 'HttpOnly: scripts cannot read it, also those that somebody smuggled into a page.',
          press: 'Set one with HttpOnly',
        },
        samesite: {
          text: 'SameSite: whether it goes along when another site leads here. Lax: with links, and not with forms that post.',
          press: 'Set one with SameSite',
        },
        path: {
          text: 'Path and Domain: to which addresses of this host, and to which hosts, it is sent.',
          press: 'Set one for /lab/ alone',
        },
        secure: {
          text: 'Secure: over https only, so that nobody on the way reads it.',
          press: 'Set one with Secure',
        },
      },
    },
    limits: {
      title: 'Limits, and overwriting',
      claims: {
        large: {
          text: 'A cookie has 4096 bytes at most. Browsers drop a larger one without a word; this server refuses to send it.',
          press: 'Set one of 4200 letters',
        },
        overwrite: {
          text: 'The same name, path and domain again: the new one takes the place of the old.',
          press: 'Set colour to green, for /lab/',
        },
        twice: {
          text: 'With another path it is another cookie of the same name, and the browser sends both.',
          press: 'Set colour to red, for /',
        },
        which: {
          text: 'Of two with one name, Django and this server take the last: the one with the shorter path.',
          press: 'Read colour',
        },
      },
    },
    browsers: {
      title: 'One browser and another',
      claims: {
        jar: {
          text: 'Each browser has cookies of its own, and a private window too. One person in two browsers is two sessions.',
          press: 'Let another browser come',
        },
        tabs: {
          text: 'Tabs of one browser share its cookies, so they share one session. Here, two that write at once lose nothing.',
          press: 'Write from two tabs',
        },
        stolen: {
          text: 'Whoever sends the key is you. So it is long and drawn at random, and changes when somebody logs in.',
          press: 'Change the key',
        },
      },
    },
    signed: {
      title: 'Signed cookies',
      claims: {
        sign: {
          text: 'What lies in a browser can be changed there. A signed cookie carries a time and a signature that only the server can make.',
          press: 'Sign visits = 3',
        },
        read: {
          text: 'Signed does not mean secret: everybody can read the 3. The server also checks it.',
          press: 'Read and check it',
        },
        forge: { text: 'The signature holds for exactly this text.', press: 'Change one letter of it' },
        found: { text: 'A cookie that was changed is found out.', press: 'Read and check it again' },
      },
    },
    sessions: {
      title: 'Sessions in the database',
      claims: {
        row: {
          text: 'The dictionary lies in one row of the table django_session: a key, a signed text, an end.',
          press: 'Put 上海 into it',
        },
        look: { text: 'Who only looks causes no write, and is sent no cookie.', press: 'Look' },
        list: { text: 'Values are whatever JSON can hold.', press: 'Put a list into it' },
        inside: {
          text: 'A change inside a value is not noticed: nothing is saved.',
          press: 'Append to the list',
        },
        told: {
          text: 'Say that the session was modified, and it is.',
          press: 'Append, and say modified = true',
        },
        interrupted: {
          text: 'A session that is ended while another request still writes does not come back.',
          press: 'End it and write at once',
        },
      },
    },
    expiry: {
      title: 'When a session ends',
      claims: {
        usual: {
          text: 'Usually two weeks after it was last changed (SESSION_COOKIE_AGE).',
          press: 'How many seconds?',
        },
        seconds: { text: 'Or so many seconds after the last change.', press: 'Five minutes' },
        browser: {
          text: 'Or with the browser: then the cookie has no Max-Age, and the row lives for two weeks.',
          press: 'Until the browser closes',
        },
        date: { text: 'Or at a moment.', press: 'On the first of January 2040' },
        none: { text: 'Or as the settings say again.', press: 'Back to the settings' },
        swept: {
          text: 'A row that has expired counts for nothing and lies there until somebody sweeps.',
          press: 'Leave one behind, and sweep',
        },
      },
    },
    login: {
      title: 'Logging in',
      claims: {
        in: {
          text: "A login writes the user's number into the session and gives it a new key: who knew the old one knows nothing.",
          press: 'Log in as alice',
        },
        hash: {
          text: 'With it goes a hash that depends on the password: a new password ends all other sessions.',
          press: 'Look into the session',
        },
        out: { text: 'A logout deletes the row, and with it everything in it.', press: 'Log out' },
        elsewhere: {
          text: 'Tabs share one row. So whoever logs out in one of them is logged out in all.',
          press: 'Log out in another tab',
        },
      },
    },
    captcha: {
      title: 'A captcha',
      claims: {
        draw: {
          text: 'A captcha asks what programs find hard to answer. The answer stays on the server: in the session, as a keyed hash.',
          press: 'Draw one',
        },
        answer: {
          text: 'Right or wrong, it is used up by one answer.',
          press: 'Answer',
        },
        form: {
          text: 'It slows programs down and keeps none out for good. The guard of a password is that failed attempts are counted.',
          press: 'See it at the login form',
        },
      },
    },
    question: {
      title: 'The question',
      claims: {
        first: {
          text: 'What happens to the table when a second person logs in with the same browser? First, one person does.',
          press: 'Log in as alice',
        },
        data: { text: 'That person leaves something in the session.', press: 'Put milk into the cart' },
        second: {
          text: "Then the second one: the first one's row is deleted with everything in it, and a new row with a new key is made. No row ever holds two people's data.",
          press: 'Log in as bob',
        },
        form: { text: 'The same by the real login form.', press: 'To “Second login”' },
      },
    },
  },
};

export type ExplainedMessages = typeof EXPLAINED_EN;
