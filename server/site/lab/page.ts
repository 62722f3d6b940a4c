/** `/lab/` and the pages of "Sessions, explained": the latest step, and forms for the next one. */
import type { Context } from 'koa';
import { DEMO_USERS } from '../demo_users.js';
import { messages } from '../i18n.js';
import { queryField } from '../next.js';
import { allowOwnScripts } from '../own_scripts.js';
import type { Handler, Site } from '../site.js';
import { labAddress } from '../static_files.js';
import { CHAPTERS, type ChapterName, chapterOf, chapterPath, EXPLAINED_PATH, PRESSES, type Press } from './chapters.js';
import { NOTEBOOK_COOKIE } from './mask.js';
import type { Notebook, Notebooks } from './notebook.js';
import type { Recorder } from './recorder.js';
import { type ReportContext, reportOf, resultOf, titleOf } from './report.js';
import type { Step } from './step.js';
import { timelineOf } from './timeline.js';

const STYLESHEET = labAddress('lab.css');
const SCRIPT = labAddress('lab.js');
const KINDS_OF_EXPIRY = ['get_expiry_age', 'get_expiry_date', 'get_expire_at_browser_close'];
const TESTS = ['set_test_cookie', 'test_cookie_worked', 'delete_test_cookie'];

export class LabPages {
  readonly #site: Site;
  readonly #recorder: Recorder;
  readonly #notebooks: Notebooks;

  constructor(site: Site, recorder: Recorder, notebooks: Notebooks) {
    this.#site = site;
    this.#recorder = recorder;
    this.#notebooks = notebooks;
  }

  readonly lab: Handler = (ctx) =>
    this.#answer(ctx, 'lab/page', (steps, notebook) => this.#labLocals(ctx, steps, notebook));

  readonly explained: Handler = (ctx) =>
    this.#answer(ctx, 'lab/explained', () => ({ chapters: this.#chapterLinks(ctx) }));

  readonly chapter: Handler = async (ctx, params) => {
    const chapter = chapterOf(params['chapter']);
    if (chapter === undefined) return;
    await this.#answer(ctx, 'lab/chapter', (steps) => this.#chapterLocals(ctx, chapter, steps));
  };

  /** Prepares the page. It is rendered after the answer's cookies are set, because it shows them. */
  async #answer(
    ctx: Context,
    view: string,
    locals: (steps: readonly Step[], notebook: Notebook | undefined) => object,
  ): Promise<void> {
    const page = this.#site.pages.later(ctx, view);
    allowOwnScripts(ctx);
    const { csrf_token } = ctx;
    const notebook = this.#notebooks.find(ctx.request.COOKIES.get(NOTEBOOK_COOKIE));
    // Before the first access to the session, which drops the key of a deleted row.
    const before = await this.#recorder.row(ctx, ctx.session.session_key);
    const { user } = ctx;
    const person = user.is_authenticated ? user.get_username() : null;
    const lab = messages(this.#site.pages.language(ctx)).lab;
    this.#recorder.later(ctx, {
      notebook,
      draft: undefined,
      before,
      render: () => {
        const steps = this.#shown(ctx, notebook?.steps ?? []);
        const report = reportOf(steps, this.#context(ctx));
        const last = steps.at(-1);
        return page({
          csrf_token,
          lab_stylesheet: STYLESHEET,
          lab_script: SCRIPT,
          t: lab,
          report,
          said: last === undefined ? '' : lab.said(titleOf(last, lab), resultOf(last, lab)),
          person,
          ...locals(steps, notebook),
        });
      },
    });
    ctx.type = 'html';
    ctx.body = '';
  }

  /** The steps up to the one in the query, otherwise all. */
  #shown(ctx: Context, steps: readonly Step[]): readonly Step[] {
    const number = Number(queryField(ctx, 'step'));
    const index = steps.findIndex((step) => step.number === number);
    return index < 0 ? steps : steps.slice(0, index + 1);
  }

  #context(ctx: Context): ReportContext {
    const language = this.#site.pages.language(ctx);
    return { m: messages(language).lab, language, settings: this.#site.settings };
  }

  #labLocals(ctx: Context, steps: readonly Step[], notebook: Notebook | undefined): object {
    const { m } = this.#context(ctx);
    const all = notebook?.steps ?? [];
    const shown = steps.at(-1);
    return {
      explained: EXPLAINED_PATH,
      group: groupOf(shown?.name),
      kept: (name: string, otherwise: string): string => shown?.fields.get(name) ?? otherwise,
      users: DEMO_USERS.map(({ username }, index) => ({ username, do: index === 0 ? 'login_first' : 'login_second' })),
      expiry_questions: KINDS_OF_EXPIRY,
      test_members: TESTS,
      timeline: all.length === 0 ? null : timelineOf(all, shown?.number ?? null),
      steps: all.toReversed().map((step) => ({
        number: step.number,
        title: titleOf(step, m),
        events: step.events.map((event) => ({ event, text: m.events[event] })),
        isShown: step === shown,
      })),
    };
  }

  #chapterLocals(ctx: Context, chapter: ChapterName, steps: readonly Step[]): object {
    const { explained } = messages(this.#site.pages.language(ctx));
    const texts: Readonly<Record<string, { readonly text: string; readonly press: string }>> =
      explained.chapters[chapter].claims;
    const presses: Readonly<Record<string, Press>> = PRESSES[chapter];
    const links = this.#chapterLinks(ctx);
    const place = CHAPTERS.indexOf(chapter);
    return {
      title: explained.chapters[chapter].title,
      number: explained.chapter(place + 1, CHAPTERS.length),
      claims: Object.entries(presses).map(([name, press]) => ({
        id: name,
        claim: `${chapter}.${name}`,
        text: texts[name]?.text ?? '',
        label: texts[name]?.press ?? '',
        do: press.do ?? null,
        fields: Object.entries(press.fields ?? {}).map(([field, value]) => ({
          name: field,
          value: value === 'sessionid' ? this.#site.settings.SESSION_COOKIE_NAME : value,
        })),
        input: press.input ?? null,
        reload: press.reload === true,
        href: press.href ?? null,
        isShown: steps.at(-1)?.claim === `${chapter}.${name}`,
      })),
      index: EXPLAINED_PATH,
      previous: links[place - 1] ?? null,
      next: links[place + 1] ?? null,
    };
  }

  #chapterLinks(ctx: Context): readonly { readonly href: string; readonly title: string }[] {
    const { chapters } = messages(this.#site.pages.language(ctx)).explained;
    return CHAPTERS.map((name) => ({ href: chapterPath(name), title: chapters[name].title }));
  }
}

/** The group of forms of a step, which is open on the page. */
function groupOf(name: string | undefined): string {
  if (name === undefined || name === 'visit') return 'dictionary';
  if (name === 'ops') return 'json';
  if (name.startsWith('tabs_') || name === 'other_browser') return 'tabs';
  if (name.startsWith('login_') || name === 'logout') return 'person';
  if (name.endsWith('test_cookie') || name === 'test_cookie_worked') return 'test_cookie';
  if (name.endsWith('signed_cookie') || name === 'forge') return 'signed';
  if (name.endsWith('_cookie')) return 'plain';
  if (name.includes('expir') && name !== 'clear_expired') return 'expiry';
  if (['save', 'create', 'cycle_key', 'flush', 'delete', 'exists', 'exists_not', 'clear_expired'].includes(name))
    return 'row';
  return 'dictionary';
}
