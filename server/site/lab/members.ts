/** All buttons of the lab, by name. */
import { parseJson, printJson } from '../../index.js';
import { COOKIE_MEMBERS } from './cookie_members.js';
import type { Member } from './member.js';
import { readOps, runOps, stateOf } from './ops.js';
import { PERSON_MEMBERS } from './person_members.js';
import { SESSION_MEMBERS } from './session_members.js';
import { TAB_MEMBERS } from './tab_members.js';

/** A JSON list of operations, as `POST /lab/api/` takes them. */
const ops: Member = (form) => {
  const text = form.text('ops');
  return {
    code: null,
    async run({ ctx }) {
      const results = await runOps(ctx.session, readOps({ ops: parseJson(text) }));
      return { results, state: parseJson(printJson(stateOf(ctx.session))) };
    },
  };
};

const MEMBERS: ReadonlyMap<string, Member> = new Map(
  Object.entries({ ...SESSION_MEMBERS, ...COOKIE_MEMBERS, ...PERSON_MEMBERS, ...TAB_MEMBERS, ops }),
);

export const memberOf = (name: string): Member | undefined => MEMBERS.get(name);

export const MEMBER_NAMES: readonly string[] = [...MEMBERS.keys()];
