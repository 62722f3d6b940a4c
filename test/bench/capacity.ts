/** What a hundred thousand requests a second need, from the CPU that the reference run measured for one. */
import type { Report, Table } from './report.js';

const RATE = 100_000;
/** A machine that is this busy still answers at once, and takes over what another one drops. */
const BUSY = 0.5;

const KINDS = [
  ['read', 'read a session'],
  ['mixed', 'read nine, save one'],
  ['write', 'save each'],
] as const;

export function capacityTable({ results }: Report): Table {
  const rows = KINDS.map(([scenario, what]) => {
    const ours = results.find((result) => result.contestant === 'ours' && result.scenario === scenario);
    if (ours === undefined || ours.server_us === null || ours.postgres_us === null) {
      throw new Error(`The reference run has no CPU for ours in ${scenario}.`);
    }
    const cores = (microseconds: number): number => Math.ceil((RATE * microseconds) / 1e6 / BUSY);
    return [
      what,
      Math.round(ours.server_us),
      Math.round(ours.postgres_us),
      cores(ours.server_us),
      cores(ours.postgres_us),
    ];
  });
  return {
    title: '100,000 requests a second',
    head: ['each request', 'CPU µs server', 'CPU µs PostgreSQL', 'cores of servers', 'cores of PostgreSQL'],
    rows,
    note: `Cores that are ${BUSY * 100} % busy: requests × microseconds ÷ ${BUSY}.`,
  };
}
