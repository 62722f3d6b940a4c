/** Looks up a process by its pid: whether it runs, when it started, its command line. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A running process. `began`, its start time, distinguishes it from an earlier process with the same pid. */
export interface ProcessInfo {
  readonly pid: number;
  readonly began: string;
  readonly command: string;
}

/** Reads /proc on Linux, where slim images have no ps; runs ps elsewhere, because macOS has no /proc. */
export function processInfo(pid: number): ProcessInfo | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the name in parentheses may contain anything. State is field 3, start time field 22.
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

/** Parses `ps -o stat=,lstart=,command=`: `Ss   Mon Nov 22 10:11:12 2026     /path/postgres -D …` and a line feed. */
export function readPs(pid: number, printed: string): ProcessInfo | undefined {
  const [, state, began, command] = /^(\S+) +((?:\S+ +){4}\S+) +(\S.*)$/.exec(printed.trim()) ?? [];
  if (state === undefined || began === undefined || state.startsWith('Z')) return undefined;
  return { pid, began: began.replace(/\W+/g, '-'), command: command ?? '' };
}

/** The mark of this process, `pid@began`. `lives` finds the process by it. */
export function ownMark(): string {
  return `${process.pid}@${processInfo(process.pid)?.began ?? ''}`;
}

/** The process of a mark; undefined if it has ended, is a zombie, or its pid is now another process's. */
export function lives(mark: string): ProcessInfo | undefined {
  const [pid, began] = mark.split('@');
  const info = processInfo(Number(pid));
  return info?.began === began ? info : undefined;
}
