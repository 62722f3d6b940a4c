/** The whole server behind its real socket, and Chromium in front of it. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { serverSettings } from '../../config/settings.js';
import {
  CAPTCHA_SESSION_KEY,
  captchaHash,
  defineSettings,
  PROOF_OF_WORK_SESSION_KEY,
  SessionCodec,
} from '../../server/index.js';
import { type RunningServer, serve } from '../../server/serve.js';
import { addUsers } from '../site/visitor.js';
import { type TestDatabase, testDatabase } from '../support/database.js';

const SECRET_KEY = 'a key for the tests in the browser';
const SCREENSHOTS = path.join(import.meta.dirname, 'screenshots');
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export const SMALL = { width: 320, height: 640 };

export interface Visit {
  readonly locale: 'en-US' | 'zh-CN';
  readonly viewport: { readonly width: number; readonly height: number };
  readonly dark?: boolean;
  /** Off unless asked for: the site must not need any. */
  readonly scripts?: boolean;
}

export class Stage {
  readonly #browser: Browser;
  readonly #server: RunningServer;
  readonly database: TestDatabase;
  readonly #codec = new SessionCodec(defineSettings({ SECRET_KEY }));

  private constructor(browser: Browser, server: RunningServer, database: TestDatabase) {
    this.#browser = browser;
    this.#server = server;
    this.database = database;
  }

  static async open(): Promise<Stage> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const database = await testDatabase();
    await addUsers(database.knex);
    const environment = { PORT: '0', DATABASE_URL: database.url, SECRET_KEY, DATABASE_TIMEOUT: '5' };
    const settings = serverSettings(() => SECRET_KEY, environment);
    const server = await serve(settings, { log: pino({ level: 'silent' }) });
    await server.ready;
    const browser = await chromium.launch({
      executablePath: EXECUTABLE,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    return new Stage(browser, server, database);
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#server.stop();
    await this.database.drop();
  }

  /** A browser of its own. */
  async visit({
    locale,
    viewport,
    dark = false,
    scripts = false,
  }: Visit): Promise<{ context: BrowserContext; page: Page; troubles: string[] }> {
    const context = await this.#browser.newContext({
      baseURL: this.#server.url,
      locale,
      viewport,
      colorScheme: dark ? 'dark' : 'light',
      isMobile: viewport !== DESKTOP,
      javaScriptEnabled: scripts,
      deviceScaleFactor: 1,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const troubles: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(message.text());
    });
    page.on('requestfailed', (request) => {
      // Going on to the next page while a picture of this one still loads is no failure.
      const error = request.failure()?.errorText ?? '';
      if (error !== 'net::ERR_ABORTED') troubles.push(`${request.url()}: ${error}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 500) troubles.push(`${response.url()}: ${response.status()}`);
    });
    return { context, page, troubles };
  }

  /** Make the picture that the page shows mean `answer`, by knowing SECRET_KEY. */
  async plant(context: BrowserContext, answer: string): Promise<void> {
    await this.#change(context, (data) => {
      data[CAPTCHA_SESSION_KEY] = { hash: captchaHash(answer, { SECRET_KEY }), expires: Date.now() / 1000 + 600 };
    });
  }

  /** Have the page's script given tasks of little work; how much it is on a busy machine is no test's matter. */
  async easyTasks(context: BrowserContext): Promise<void> {
    const easy = { parts: 4, difficulty: 8 };
    await context.route('**/captcha/task/', async (route) => {
      const response = await route.fetch();
      await this.#change(context, (data) => {
        data[PROOF_OF_WORK_SESSION_KEY] = { ...(data[PROOF_OF_WORK_SESSION_KEY] as object), ...easy };
      });
      await route.fulfill({ response, json: { ...((await response.json()) as object), ...easy } });
    });
  }

  /** Change the row of a browser's session behind the server's back. */
  async #change(context: BrowserContext, edit: (data: Record<string, unknown>) => void): Promise<void> {
    const session_key = (await context.cookies()).find(({ name }) => name === 'sessionid')?.value ?? '';
    const { knex } = this.database;
    const row = await knex('django_session').where({ session_key }).first();
    const data = JSON.parse(this.#codec.decode(row?.session_data ?? '') ?? 'null') as Record<string, unknown>;
    edit(data);
    await knex('django_session')
      .where({ session_key })
      .update({ session_data: this.#codec.encode(JSON.stringify(data)) });
  }
}

/** A picture of the whole page, for people; kept out of git. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`), fullPage: true });
}
