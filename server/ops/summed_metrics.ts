/** The metrics of several processes as those of one server. */
import { AggregatorRegistry } from 'prom-client';

/** What `registry.getMetricsAsJSON()` of one process gives. */
export type MetricsSnapshot = readonly object[];

/** What only grows: it must not fall when a process ends, or Prometheus takes that for a restart of everything. */
const GROWING: ReadonlySet<unknown> = new Set(['counter', 'histogram']);

export class SummedMetrics {
  /** The last word of each process that runs. */
  readonly #present = new Map<number, MetricsSnapshot>();
  /** What those that have ended had counted. */
  #ended: Promise<MetricsSnapshot> = Promise.resolve([]);

  take(id: number, snapshot: MetricsSnapshot): void {
    this.#present.set(id, snapshot);
  }

  /** The process has ended: what it counted is kept, and how it was (memory, connections) forgotten. */
  end(id: number): void {
    const last = this.#present.get(id) ?? [];
    this.#present.delete(id);
    const counted = last.filter((metric) => 'type' in metric && GROWING.has(metric.type));
    this.#ended = this.#ended.then((before) => sum([before, counted]).getMetricsAsJSON());
  }

  /** For Prometheus. */
  async text(): Promise<string> {
    return sum([await this.#ended, ...this.#present.values()]).metrics();
  }
}

const sum = (snapshots: readonly MetricsSnapshot[]): ReturnType<typeof AggregatorRegistry.aggregate> =>
  AggregatorRegistry.aggregate([...snapshots]);
