/** The captcha's picture: pixels, of a fixed size, another one each time. */
import { expect } from 'chai';
import { bounds, glyphOutline, type Outline, type Point, solid } from '../../server/captcha/glyph.js';
import {
  CAPTCHA_ALPHABET,
  drawCaptcha,
  newCaptchaText,
  PICTURE_HEIGHT,
  PICTURE_WIDTH,
} from '../../server/captcha/index.js';
import { letterOutlines } from '../../server/captcha/layout.js';

const distance = (one: Point, other: Point): number => Math.hypot(one.x - other.x, one.y - other.y);

/** Pixels between the nearest points of two outlines. */
function gap(one: Outline, other: Outline): number {
  return Math.min(...one.flat().map((point) => Math.min(...other.flat().map((to) => distance(point, to)))));
}

describe('captcha picture', () => {
  it('is a PNG of the announced size, below 64 kB', async () => {
    const png = await drawCaptcha('R3WDAX');
    expect(png.subarray(0, 8).toString('latin1')).to.equal('\x89PNG\r\n\x1a\n');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).to.deep.equal([PICTURE_WIDTH, PICTURE_HEIGHT]);
    expect(png.length).to.be.within(2_000, 65_536);
  });

  it('has no text in its bytes: neither a chunk of text nor vector data', async () => {
    const png = await drawCaptcha('R3WDAX');
    for (const trace of ['R3WDAX', 'tEXt', 'zTXt', 'iTXt', '<svg', '<path']) {
      expect(png.includes(trace), trace).to.equal(false);
    }
  });

  it('differs each time that the same text is drawn', async () => {
    const pictures = await Promise.all(Array.from({ length: 10 }, () => drawCaptcha('R3WDAX')));
    expect(new Set(pictures.map((png) => png.toString('base64'))).size).to.equal(10);
  });

  it('has letters that touch neither each other nor the edge', () => {
    for (let i = 0; i < 50; i += 1) {
      const text = newCaptchaText();
      const letters = letterOutlines(text);
      expect(letters).to.have.lengthOf(text.length);
      // Edges are drawn up to 0.6 pixels wide on each side.
      letters.slice(1).forEach((letter, before) => {
        expect(gap(letter, letters[before] ?? []), text).to.be.greaterThan(1.5);
      });
      const { left, right, top, bottom } = bounds(letters.flat());
      expect(
        [left, top].every((least) => least > 2),
        text,
      ).to.equal(true);
      expect(right < PICTURE_WIDTH - 2 && bottom < PICTURE_HEIGHT - 2, text).to.equal(true);
    }
  });

  for (const character of CAPTCHA_ALPHABET) {
    it(`has an outline for ${character}, hollow and solid`, () => {
      const outline = glyphOutline(character);
      const box = bounds(outline);
      expect(box.bottom - box.top).to.be.within(40, 110);
      expect(box.right - box.left).to.be.within(20, 110);
      expect(solid(outline)).to.not.have.lengthOf(0);
      expect(bounds(solid(outline))).to.deep.equal(box);
    });
  }
});
