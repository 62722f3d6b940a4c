/** CPU and memory of processes as Linux counts them, and the cores they may run on. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

export const CORES = availableParallelism();

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly own: number;
  readonly reaped: number;
}

// proc(5): utime, stime, cutime, cstime are in clock ticks; USER_HZ is 100 on every Linux that Node runs on.
const TICKS = 100;

function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const field = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const at = (index: number): number => field[index] ?? 0;
    return { pid, parent: at(1), own: (at(11) + at(12)) / TICKS, reaped: (at(13) + at(14)) / TICKS };
  } catch {
    return undefined;
  }
}

/** The process and its living descendants; empty where there is no /proc. */
export function processTree(root: number): number[] {
  let all: Stat[];
  try {
    all = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => stat(Number(name)) ?? []);
  } catch {
    return [];
  }
  const tree = new Set([root]);
  for (let size = 0; size !== tree.size; ) {
    size = tree.size;
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid);
  }
  return [...tree];
}

/** CPU seconds used so far by a process, its descendants, and those of them that have ended. NaN where unknown. */
export function cpuSeconds(root: number | undefined): number {
  if (root === undefined) return Number.NaN;
  const stats = processTree(root).flatMap((pid) => stat(pid) ?? []);
  return stats.length === 0 ? Number.NaN : stats.reduce((sum, { own, reaped }) => sum + own + reaped, 0);
}

/** Resident bytes of the process and its descendants together. */
export function residentBytes(root: number): number {
  return processTree(root).reduce((sum, pid) => {
    try {
      const kB = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
      return sum + Number(kB ?? 0) * 1024;
    } catch {
      return sum;
    }
  }, 0);
}

/** Keeps a process, its threads, its children and their children to these cores. False where there is no taskset. */
export function pin(root: number, cores: readonly number[]): boolean {
  try {
    for (const pid of processTree(root))
      execFileSync('taskset', ['-a', '-c', '-p', cores.join(','), String(pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
