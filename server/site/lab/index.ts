/** The lab: pages with a button for each method of the session, which show its effect on cookie and row. Never in production. */
import type { Middleware } from 'koa';
import type { SessionStore } from '../../index.js';
import type { Handler, Site } from '../site.js';
import { labApi } from './api.js';
import { Notebooks } from './notebook.js';
import { LabPages } from './page.js';
import { Recorder } from './recorder.js';
import { labStep } from './step_handler.js';

export interface Lab {
  /** Mount it outside of sessions and exceptions: it finishes the steps that handlers begin. */
  readonly recorder: Middleware;
  readonly page: Handler;
  readonly step: Handler;
  readonly api: Handler;
  readonly explained: Handler;
  readonly chapter: Handler;
}

export function createLab(site: Site, store: SessionStore): Lab {
  const recorder = new Recorder(site, store);
  const notebooks = new Notebooks();
  const pages = new LabPages(site, recorder, notebooks);
  return {
    recorder: recorder.middleware,
    page: pages.lab,
    step: labStep(site, recorder, notebooks),
    api: labApi(site),
    explained: pages.explained,
    chapter: pages.chapter,
  };
}
