/** Latencies in buckets of 2 %, so that processes can add theirs up. */

const PER_OCTAVE = 35;

export class Histogram {
  readonly counts: number[];

  constructor(counts: readonly number[] = []) {
    this.counts = [...counts];
  }

  add(milliseconds: number): void {
    const bucket = Math.max(0, Math.round(Math.log2(Math.max(milliseconds, 0.001) * 1000) * PER_OCTAVE));
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }

  merge(other: Histogram): void {
    other.counts.forEach((count, bucket) => {
      if (count) this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
    });
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + (count ?? 0), 0);
  }

  /** Milliseconds below which this share of the requests was answered; 0 when there were none. */
  quantile(share: number): number {
    const wanted = this.total * share;
    let seen = 0;
    for (let bucket = 0; bucket < this.counts.length; bucket++) {
      seen += this.counts[bucket] ?? 0;
      if (seen >= wanted && seen > 0) return 2 ** (bucket / PER_OCTAVE) / 1000;
    }
    return 0;
  }
}
