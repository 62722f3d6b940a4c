/** The captcha's picture: pixels, of a fixed size, another one each time. */
import { expect } from 'chai';
import { bounds, glyphOutline, solid } from '../../server/captcha/glyph.js';
import { CAPTCHA_ALPHABET, drawCaptcha, PICTURE_HEIGHT, PICTURE_WIDTH } from '../../server/captcha/index.js';

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
