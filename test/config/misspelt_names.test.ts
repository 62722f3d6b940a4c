/** Names that are nearly a setting's: refused at start, while variables of other programs never stop it. */
import { expect } from 'chai';
import {
  type Environment,
  librarySettings,
  OWN_SETTINGS,
  serverSettings,
  sessionTable,
} from '../../config/settings.js';
import { ImproperlyConfigured } from '../../server/errors.js';
import { defineSettings, SETTINGS } from '../../server/settings.js';

const start = (environment: Environment): unknown => serverSettings(() => 'a key for development', environment);

// biome-ignore format: a line a program
const OTHERS = `
  SESSION_MANAGER SESSIONNAME XDG_SESSION_ID XDG_SESSION_TYPE DBUS_SESSION_BUS_ADDRESS DESKTOP_SESSION GNOME_DESKTOP_SESSION_ID
  HOSTNAME HOST_NAME HOSTS HOSTTYPE COMPUTERNAME USERDOMAIN LOGNAME LOGONSERVER TZ TIMEZONE TIME_ZONES LANGUAGE LC_MESSAGES
  DATABASE_NAME DATABASE_HOST DATABASE_PORT DATABASE_USER DATABASE_PASSWORD DATABASE_URI DATABASE_URLS DATABASE_DSN
  DATABASE_POOLS DATABASE_POOL_SIZE DATABASE_TIMEOUTS SQLALCHEMY_DATABASE_URI PGHOST PGPORT PGDATABASE PGAPPNAME PGTZ
  POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_HOST_AUTH_METHOD MYSQL_ROOT_PASSWORD REDIS_URL CACHE_URI CACHE_URLS
  SECRET_KEYS SECRETKEY SECRET_KEY_BASE APP_SECRET_KEY DJANGO_SECRET_KEY FLASK_SECRET_KEY AWS_SECRET_ACCESS_KEY
  AWS_SESSION_TOKEN AWS_ROLE_SESSION_NAME SESSION_SECRET SESSION_DRIVER SESSION_LIFETIME SESSION_CONNECTION SESSION_STORE
  SESSION_DOMAIN SESSION_PATH SESSION_SECURE_COOKIE SESSION_HTTP_ONLY SESSION_SAME_SITE SESSION_ENCRYPT SESSION_KEY
  SESSION_COOKIE SESSION_COOKIE_MAX_AGE SESSION_TYPE SESSION_FILE_DIR SESSION_PERMANENT SESSION_USE_SIGNER SESSION_KEY_PREFIX
  DEBUG DEBUG_COLORS DEBUG_DEPTH DEBUG_HIDE_DATE NODE_OPTIONS NODE_PATH NODE_DEBUG NODE_ENVS NODE_EXTRA_CA_CERTS NODE_VERSION
  LOGLEVEL LOG_LEVELS LOG_FILE LOG_FORMAT RUST_LOG PORTS HOST_PORT HTTP_PORT METRIC_PORT METRICS_PATH METRICS_PORTS
  ALLOWED_HOST ALLOW_HOSTS DJANGO_ALLOWED_HOSTS TRUSTED_PROXY TRUST_PROXY DATA_DIR DATA_FOLDERS DATA_SOURCE_NAME LABS LAD
  KEEPALIVE_TIMEOUT HEADER_TIMEOUT REQUESTS_TIMEOUT SHUTDOWN_TIMEOUTS GRACEFUL_TIMEOUT GUNICORN_CMD_ARGS WEB_CONCURRENCY
  MAX_HEADER MAX_HEADER_SIZE CSRF_SECRET CSRF_TOKEN CSRF_TRUSTED_ORIGIN_REGEX MESSAGE_BUS MESSAGE_LEVELED MAIL_URL LOGIN_URLS
  AUTH_URL AUTH_SECRET NEXTAUTH_URL NEXTAUTH_SECRET AUTH_USER USE_TZDATA FILE_UPLOAD_PERMISSIONS FILE_UPLOAD_HANDLERS
  DATA_UPLOAD_LIMIT UPLOAD_MAX_FILESIZE KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP_ADDR KUBECONFIG DOCKER_HOST
  CONTAINER_HOST COMPOSE_PROJECT_NAME GITHUB_SHA GITHUB_STEP_SUMMARY RUNNER_TEMP CI_COMMIT_REF_NAME CI_JOB_TOKEN
  JENKINS_URL BUILD_NUMBER VERCEL_URL HEROKU_APP_NAME DYNO RAILS_ENV RACK_ENV RAILS_LOG_LEVEL MIX_ENV PHX_HOST
  SPRING_DATASOURCE_URL SERVER_PORT JAVA_HOME CLASSPATH npm_config_cache npm_package_name npm_lifecycle_event
  npm_config_user_agent INIT_CWD PM2_HOME pm_id NVM_DIR VIRTUAL_ENV PYTHONPATH PYTHONHASHSEED SYSTEMD_EXEC_PID
  INVOCATION_ID JOURNAL_STREAM LISTEN_FDS NOTIFY_SOCKET MAINPID SSH_AUTH_SOCK SSH_CONNECTION GPG_AGENT_INFO TERM_SESSION_ID
  ITERM_SESSION_ID WT_SESSION VSCODE_IPC_HOOK TERM_PROGRAM_VERSION WINDOWID SHELL_SESSION_ID SHELL_SESSION_FILE ZDOTDIR
  OTEL_EXPORTER_OTLP_ENDPOINT SENTRY_DSN NEW_RELIC_LICENSE_KEY DD_AGENT_HOST VAULT_ADDR HTTP_PROXY https_proxy NO_PROXY
  PATH HOME USER PWD OLDPWD SHLVL LANG LC_ALL EDITOR PAGER DISPLAY WAYLAND_DISPLAY XAUTHORITY TMPDIR _ PS1 IFS
`.trim().split(/\s+/);

/** Django's own settings that are none of ours, which a shared .env may hold. */
const DJANGOS = `
  SESSION_CACHE_ALIAS SESSION_SERIALIZER CSRF_FAILURE_VIEW LANGUAGE_COOKIE_AGE LANGUAGE_COOKIE_DOMAIN LANGUAGE_COOKIE_PATH
  LANGUAGE_COOKIE_SECURE LANGUAGE_COOKIE_HTTPONLY LANGUAGE_COOKIE_SAMESITE LANGUAGE_CODE LANGUAGES_BIDI LOGOUT_REDIRECT_URL
  FILE_UPLOAD_PERMISSIONS FILE_UPLOAD_DIRECTORY_PERMISSIONS AUTH_PASSWORD_VALIDATORS AUTHENTICATION_BACKENDS
  CACHE_MIDDLEWARE_KEY_PREFIX CACHE_MIDDLEWARE_SECONDS SECURE_HSTS_SECONDS SECURE_PROXY_SSL_HEADER PASSWORD_RESET_TIMEOUT
  USE_I18N USE_X_FORWARDED_HOST DATABASE_ROUTERS DEFAULT_CHARSET SIGNING_BACKEND MIDDLEWARE
`
  .trim()
  .split(/\s+/);

describe('a name that is nearly a setting', () => {
  const slips: Readonly<Record<string, string>> = {
    SESION_COOKIE_AGE: 'SESSION_COOKIE_AGE',
    SESSION_COOKIE_AGES: 'SESSION_COOKIE_AGE',
    SESSION_COKIE_NAME: 'SESSION_COOKIE_NAME',
    SESSION_COOKIE_SECRUE: 'SESSION_COOKIE_SECURE',
    SESSION_COOKIE_SAME_SITE: 'SESSION_COOKIE_SAMESITE',
    SESSION_COOKIE_HTTP_ONLY: 'SESSION_COOKIE_HTTPONLY',
    SESSIONS_TABLE: 'SESSION_TABLE',
    SESSION_ENGIN: 'SESSION_ENGINE',
    CSRF_TRUSTED_ORIGIN: 'CSRF_TRUSTED_ORIGINS',
    SECRET_KEY_FALLBACK: 'SECRET_KEY_FALLBACKS',
    AUTH_USERS_TABLE: 'AUTH_USER_TABLE',
    TRUSTED_PROXYES: 'TRUSTED_PROXIES',
    CLEARSESSION_INTERVAL: 'CLEARSESSIONS_INTERVAL',
  };

  describe('in the environment', () => {
    it('is an error at start that names the right one', () => {
      for (const [wrong, right] of Object.entries(slips)) {
        expect(() => start({ [wrong]: '1' }), wrong)
          .to.throw(ImproperlyConfigured)
          .with.property(
            'message',
            `The environment variable ${wrong} is not a setting, but similar to ${right}. Rename it; if another program needs it, set ${right} as well.`,
          );
      }
    });

    it('is one in small letters, too, and as the name of a file', () => {
      expect(() => start({ session_cookie_age: '1' })).to.throw(ImproperlyConfigured, 'similar to SESSION_COOKIE_AGE.');
      expect(() => start({ SECRET_KEY_FALBACKS_FILE: '/a' })).to.throw(ImproperlyConfigured, '_FALLBACKS_FILE.');
    });

    it('never shows the value', () => {
      expect(() => start({ SECRET_KEY_FALLBACK: 'zqxjkvwy' })).to.throw(/^(?!.*zqxj)/s);
    });

    it('is an error of every command: one that clears sessions would work on another table', () => {
      expect(() => sessionTable({ SESION_TABLE: 'shop_session' })).to.throw(ImproperlyConfigured, 'SESSION_TABLE');
      expect(() => librarySettings(['SESSION_COOKIE_AGE'], { SESION_TABLE: 'a' })).to.throw(ImproperlyConfigured);
    });

    it("is another program's where the setting is given as well", () => {
      start({ SESSIONS_TABLE: 'a', SESSION_TABLE: 'django_session' });
    });

    it('is not what other programs have there', () => {
      const names = [...OTHERS, ...DJANGOS].filter((name) => !(name in SETTINGS) && !(name in OWN_SETTINGS));
      expect(names.length).to.be.above(200);
      for (const name of names) expect(() => start({ [name]: 'x' }), name).not.to.throw();
      start(Object.fromEntries(names.map((name) => [name, 'x'])));
    });
  });

  describe('in defineSettings', () => {
    it('is an error that names the right one, which the compiler sees first', () => {
      for (const [wrong, right] of Object.entries(slips).filter(([, name]) => name in SETTINGS)) {
        const given: object = { SECRET_KEY: 'k', [wrong]: 1 };
        expect(() => defineSettings(given), wrong)
          .to.throw(ImproperlyConfigured)
          .with.property('message', `There is no setting ${wrong}. Write ${right}.`);
      }
      // @ts-expect-error: no setting
      expect(() => defineSettings({ SECRET_KEY: 'k', SESION_COOKIE_AGE: 1 })).to.throw(ImproperlyConfigured);
    });

    it("is one in JavaScript's spelling, too", () => {
      const given: object = { SECRET_KEY: 'k', sessionCookieAge: 1 };
      expect(() => defineSettings(given)).to.throw(ImproperlyConfigured, 'Write SESSION_COOKIE_AGE.');
    });

    it('and one that is near to nothing is answered with all names', () => {
      const given: object = { SECRET_KEY: 'k', COOKIE: 1 };
      expect(() => defineSettings(given)).to.throw(
        ImproperlyConfigured,
        /^There is no setting COOKIE\. Known: SECRET_KEY, /,
      );
    });
  });
});
