/** Reads the PNGs that the server draws: 8 bits, RGBA, not interlaced (PNG specification, sections 9 and 11). */
import { inflateSync } from 'node:zlib';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Lightness from 0 to 255, row by row. */
  readonly light: Float32Array;
}

const BYTES = 4;

export function readPng(file: Buffer): Picture {
  const width = file.readUInt32BE(16);
  const height = file.readUInt32BE(20);
  if (file.readUInt32BE(24) >>> 16 !== 0x0806 || file[28] !== 0) throw new Error('Not a PNG of 8 bits and RGBA.');
  const parts: Buffer[] = [];
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(file.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const pixels = unfilter(inflateSync(Buffer.concat(parts)), width * BYTES, height);
  const light = new Float32Array(width * height);
  for (let i = 0; i < light.length; i += 1) {
    const [red = 0, green = 0, blue = 0] = pixels.subarray(i * BYTES, i * BYTES + 3);
    light[i] = 0.299 * red + 0.587 * green + 0.114 * blue;
  }
  return { width, height, light };
}

function unfilter(lines: Buffer, stride: number, height: number): Uint8Array {
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = lines[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x += 1) {
      const here = y * stride + x;
      const left = x < BYTES ? 0 : (pixels[here - BYTES] ?? 0);
      const above = y === 0 ? 0 : (pixels[here - stride] ?? 0);
      const corner = x < BYTES || y === 0 ? 0 : (pixels[here - stride - BYTES] ?? 0);
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter] ?? 0;
      pixels[here] = (lines[y * (stride + 1) + 1 + x] ?? 0) + guess;
    }
  }
  return pixels;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
