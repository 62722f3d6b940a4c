/** Sums the metrics of several processes. */
import { AggregatorRegistry } from 'prom-client';

/** The result of `registry.getMetricsAsJSON()` in one process. */
export type MetricsSnapshot = readonly object[];

/** Metrics that only increase. If their sum decreased when a process ends, Prometheus would assume a counter reset. */
const GROWING: ReadonlySet<unknown> = new Set(['counter', 'histogram']);

export class SummedMetrics {
  /** The last snapshot of each running process. */
  readonly #present = new Map<number, MetricsSnapshot>();
  /** The sum of the counters of all processes that have ended. */
  #ended: Promise<MetricsSnapshot> = Promise.resolve([]);

  take(id: number, snapshot: MetricsSnapshot): void {
    this.#present.set(id, snapshot);
  }

  /** Call when a process has ended. Keeps its counters and histograms, and drops its gauges (memory, connections). */
  end(id: number): void {
    const last = this.#present.get(id) ?? [];
    this.#present.delete(id);
    const counted = last.filter((metric) => 'type' in metric && GROWING.has(metric.type));
    this.#ended = this.#ended.then((before) => sum([before, counted]).getMetricsAsJSON());
  }

  /** The sum in Prometheus's text format. */
  async text(): Promise<string> {
    return sum([await this.#ended, ...this.#present.values()]).metrics();
  }
}

const sum = (snapshots: readonly MetricsSnapshot[]): ReturnType<typeof AggregatorRegistry.aggregate> =>
  AggregatorRegistry.aggregate([...snapshots]);
