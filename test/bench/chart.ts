/** The picture of BENCHMARKS.md: requests a second of every contestant, reads and writes, as an SVG without scripts or fonts. */
import type { Result } from './statistics.js';

const WIDTH = 860;
const LEFT = 200;
const BAR = 18;
const GAP = 8;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** Both themes of the page that shows it: the colours follow prefers-color-scheme. */
const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:15px}.n{fill:#57606a}
.p{fill:#9aa4b2}.o{fill:#0c6b4d}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.n{fill:#9198a1}.p{fill:#5d6774}.o{fill:#3fb68b}}`;

/**
 * @param sections a title and the scenario whose medians it shows
 * @param caption the machine, in a line
 */
export function chart(
  results: readonly Result[],
  sections: readonly { readonly title: string; readonly scenario: string }[],
  caption: string,
): string {
  const parts: string[] = [];
  let y = 8;
  for (const { title, scenario } of sections) {
    const bars = results.filter((result) => result.scenario === scenario).sort((a, b) => b.rps - a.rps);
    if (bars.length === 0) continue;
    const most = Math.max(...bars.map(({ rps }) => rps));
    y += 22;
    parts.push(`<text class="t" x="8" y="${y}">${escaped(title)}</text>`);
    y += 10;
    for (const { contestant, rps, rps_min, rps_max } of bars) {
      const width = Math.max(1, (rps / most) * (WIDTH - LEFT - 150));
      const middle = y + BAR - 5;
      const kind = contestant.startsWith('ours') ? 'o' : 'p';
      parts.push(
        `<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${escaped(contestant)}</text>`,
        `<rect class="${kind}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
        `<text class="n" x="${(LEFT + width + 8).toFixed(1)}" y="${middle}">${Math.round(rps).toLocaleString('en-US')}<title>${Math.round(rps_min)} to ${Math.round(rps_max)}</title></text>`,
      );
      y += BAR + GAP;
    }
    y += 8;
  }
  y += 12;
  parts.push(`<text class="n" x="8" y="${y}">${escaped(caption)}</text>`);
  const height = y + 12;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Requests a second">
<style>${STYLE}</style>
${parts.join('\n')}
</svg>
`;
}
