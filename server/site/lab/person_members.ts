/** Buttons for logging in and out, and for the captcha. */
import { acceptCaptcha, authenticate, drawCaptcha, keepCaptcha, login, logout, newCaptchaText } from '../../index.js';
import { DEMO_USERS } from '../demo_users.js';
import { LabRefusal } from './form.js';
import { type Member, nothing, type Prepared, plain } from './member.js';

/** Checks the demo user's password, so that in a database with other passwords nobody is logged in. */
function loginAs({ username, password }: (typeof DEMO_USERS)[number]): Prepared {
  return {
    code: {
      django: `user = authenticate(request, username="${username}", password=…)\nlogin(request, user)`,
      koa: `const user = await authenticate(ctx, { username: "${username}", password: … })\nawait login(ctx, user)`,
    },
    async run({ ctx }) {
      const user = await authenticate(ctx, { username, password });
      if (user === null) throw new LabRefusal('no_demo_user');
      return nothing(login(ctx, user));
    },
  };
}

const [FIRST, SECOND] = DEMO_USERS;

export const PERSON_MEMBERS: Readonly<Record<string, Member>> = {
  login_first: plain(loginAs(FIRST)),
  login_second: plain(loginAs(SECOND)),
  logout: plain({
    code: { django: 'logout(request)', koa: 'await logout(ctx)' },
    run: ({ ctx }) => nothing(logout(ctx)),
  }),
  captcha_draw: plain({
    code: null,
    async run(bench) {
      const { ctx, site } = bench;
      const text = newCaptchaText();
      keepCaptcha(ctx.session, text, { settings: site.settings, now: site.now() });
      bench.picture = `data:image/png;base64,${(await drawCaptcha(text)).toString('base64')}`;
      return nothing(null);
    },
  }),
  captcha_accept(form) {
    const typed = form.text('typed');
    return {
      code: null,
      run: ({ ctx, site }) => acceptCaptcha(ctx.session, typed, { settings: site.settings, now: site.now() }),
    };
  },
};
