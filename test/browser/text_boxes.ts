/** Where a page's text lies, as Chromium has laid it out: also text of `::before`, which no range of the document holds. */
import type { CDPSession } from 'playwright-core';

interface Box {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The part of CDP's DOMSnapshot.captureSnapshot that is read here: arrays by index, texts by their number in `strings`. */
interface Snapshot {
  readonly strings: readonly string[];
  readonly documents: readonly [
    {
      readonly nodes: {
        readonly parentIndex: readonly number[];
        readonly nodeName: readonly number[];
        /** Names and values in turn. */
        readonly attributes: readonly (readonly number[])[];
      };
      readonly layout: {
        readonly nodeIndex: readonly number[];
        readonly text: readonly number[];
        readonly styles: readonly (readonly number[])[];
      };
      readonly textBoxes: {
        readonly layoutIndex: readonly number[];
        readonly bounds: readonly (readonly [number, number, number, number])[];
        readonly start: readonly number[];
        readonly length: readonly number[];
      };
    },
  ];
}

async function textBoxes(cdp: CDPSession): Promise<Box[]> {
  const options = { computedStyles: ['clip-path', 'visibility'] };
  const { strings, documents } = (await cdp.send('DOMSnapshot.captureSnapshot', options)) as unknown as Snapshot;
  const [{ nodes, layout, textBoxes: boxes }] = documents;
  const styleOf = new Map(layout.nodeIndex.map((node, index) => [node, layout.styles[index] ?? []]));
  const nameOf = (node: number): string => strings[nodes.nodeName[node] ?? -1] ?? '';
  const isClosed = (node: number): boolean =>
    nameOf(node) === 'DETAILS' && !(nodes.attributes[node] ?? []).some((index) => strings[index] === 'open');
  const isHidden = (node: number): boolean => {
    let isSummary = false;
    for (let at = node; at >= 0; at = nodes.parentIndex[at] ?? -1) {
      // What a closed <details> holds has boxes, where it lay last or would lie.
      if (isClosed(at) && !isSummary) return true;
      isSummary = nameOf(at) === 'SUMMARY' || (isSummary && !isClosed(at));
      const [clip = 'none', visibility = 'visible'] = (styleOf.get(at) ?? []).map((index) => strings[index] ?? '');
      if (clip.startsWith('inset') || visibility === 'hidden') return true;
    }
    return false;
  };
  return boxes.layoutIndex.flatMap((index, box) => {
    const [x, y, width, height] = boxes.bounds[box] ?? [0, 0, 0, 0];
    const [start = 0, length = 0] = [boxes.start[box], boxes.length[box]];
    const text = (strings[layout.text[index] ?? -1] ?? '').slice(start, start + length).trim();
    const shown = text !== '' && x + width > 0 && !isHidden(layout.nodeIndex[index] ?? -1);
    return shown ? [{ text, x, y, width, height }] : [];
  });
}

/** Pixels by which boxes may reach into each other: an italic's end, a glyph that leans out. */
const SLACK = 2;
/** The share of the lower one's height: the boxes of two lines may touch where the line height is small. */
const SHARE = 0.3;

function overlaps(one: Box, other: Box): boolean {
  const across = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const down = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  return across > SLACK && down > Math.min(one.height, other.height) * SHARE;
}

/** Pairs of texts that lie over each other. */
export async function overlappingTexts(cdp: CDPSession): Promise<string[]> {
  const boxes = (await textBoxes(cdp)).sort((one, other) => one.y - other.y);
  const pairs: string[] = [];
  for (const [index, one] of boxes.entries()) {
    for (const other of boxes.slice(index + 1)) {
      if (other.y >= one.y + one.height) break;
      if (overlaps(one, other)) pairs.push(`"${one.text}" and "${other.text}"`);
    }
  }
  return pairs;
}
