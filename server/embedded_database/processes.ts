/** What can be known about another process by its number: whether it lives, when it began, its command line. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A living process. `began` tells two processes apart that had the same number one after the other. */
export interface ProcessInfo {
  readonly pid: number;
  readonly began: string;
  readonly command: string;
}

/** `/proc` where there is one (slim images have no ps), `ps` elsewhere (macOS has no /proc). */
export function processInfo(pid: number): ProcessInfo | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the name in parentheses may hold anything; the state is field 3, the start time field 22.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const began = fields[18];
    if (state === 'Z' || state === 'X' || began === undefined) return undefined;
    return { pid, began, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): ProcessInfo | undefined {
  const ps = spawnSync('ps', ['-ww', '-o', 'stat=,lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' },
  });
  return readPs(pid, ps.stdout ?? '');
}

/** What `ps -o stat=,lstart=,command=` printed: `Ss   Mon Nov 22 10:11:12 2026     /path/postgres -D …` and a line feed. */
export function readPs(pid: number, printed: string): ProcessInfo | undefined {
  const [, state, began, command] = /^(\S+) +((?:\S+ +){4}\S+) +(\S.*)$/.exec(printed.trim()) ?? [];
  if (state === undefined || began === undefined || state.startsWith('Z')) return undefined;
  return { pid, began: began.replace(/\W+/g, '-'), command: command ?? '' };
}

/** `pid@began` of this process, to be found again by `lives`. */
export function ownMark(): string {
  return `${process.pid}@${processInfo(process.pid)?.began ?? ''}`;
}

/** The process that wrote this mark, if it lives: neither a zombie nor another one under the same number. */
export function lives(mark: string): ProcessInfo | undefined {
  const [pid, began] = mark.split('@');
  const info = processInfo(Number(pid));
  return info?.began === began ? info : undefined;
}
