/** The goods and the ones viewed last: newest first, five, each once; and pictures that are only pictures. */
import { expect } from 'chai';
import fc from 'fast-check';
import { isPlainSvg } from '../../server/site/safe_svg.js';
import { expectLinear } from '../support/growth.js';
import { ALICE, countSessions, siteOfSuite, Visitor } from './visitor.js';

describe('goods', () => {
  const site = siteOfSuite();
  let visitor: Visitor;
  beforeEach(async () => {
    await site.knex('django_session').delete();
    visitor = new Visitor(site);
  });

  /** The ids below "Last viewed" on a page. */
  async function viewed(path = '/goods/'): Promise<number[]> {
    const { text } = await visitor.get(path);
    const [, list = ''] = text.split('id="viewed"');
    return Array.from(list.matchAll(/href="\/goods\/(\d+)\/"/g), ([, id]) => Number(id));
  }

  it('are a dozen, each with name, price and picture, in both languages', async () => {
    const english = (await visitor.get('/goods/')).text;
    const chinese = (await visitor.get('/goods/', { headers: { 'Accept-Language': 'zh-CN' } })).text;
    expect(english.match(/class="card good"/g)).to.have.lengthOf(12);
    expect(english.match(/<svg /g)).to.have.lengthOf(12);
    expect(english).to.include('Clay teapot').and.include('€48.00');
    expect(chinese).to.include('紫砂壶').and.not.include('Clay teapot');
  });

  it('have a page each', async () => {
    const page = await visitor.get('/goods/2/');
    expect(page.text).to.include('<h1>Clay teapot</h1>').and.include('Unglazed clay');
  });

  for (const id of [
    '0',
    '13',
    '99999999999',
    '2147483648',
    '-1',
    '1.5',
    '01',
    'abc',
    '__proto__',
    '%00',
    '1%2F',
    "1'--",
    '١',
  ]) {
    it(`have no page for ${id}`, async () => {
      expect((await visitor.get(`/goods/${encodeURI(id)}/`)).status).to.equal(404);
    });
  }

  it('that do not exist are named, and what of their number fits', async () => {
    const texts: string[] = [];
    for (const [path, language] of [
      ['/goods/999/', 'en'],
      ['/goods/999/', 'zh'],
      [`/goods/${'9'.repeat(200)}<b>/`, 'en'],
      ['/goods/\0/', 'en'],
      ['/goods/\u202e1/', 'en'],
    ] as const) {
      const { text } = await visitor.get(encodeURI(path), { headers: { 'Accept-Language': language } });
      texts.push(/<h1>.*<\/h1>\s*<p>(.*?)<\/p>/.exec(text)?.[1] ?? '');
    }
    expect(texts).to.deep.equal([
      'There is no product with the number 999.',
      '没有编号为 999 的商品。',
      `There is no product with the number ${'9'.repeat(20)}….`,
      'There is nothing at this address.',
      'There is nothing at this address.',
    ]);
    const json = await visitor.get('/goods/999/', { headers: { Accept: 'application/json' } });
    expect(JSON.parse(json.text)).to.deep.equal({ error: 'There is no such page.', status: 404 });
  });

  for (const who of ['an anonymous visitor, in a signed cookie and without a row', 'a user, in the session']) {
    it(`are remembered for ${who}`, async () => {
      const isUser = who.startsWith('a user');
      if (isUser) await visitor.logIn(ALICE);
      for (const id of [1, 2, 3, 2, 4, 5, 6, 7, 5]) await visitor.get(`/goods/${id}/`);
      expect(await viewed()).to.deep.equal([5, 7, 6, 4, 2]);
      expect(await viewed('/goods/4/')).to.deep.equal([4, 5, 7, 6, 2]);
      expect(await countSessions(site.knex)).to.equal(isUser ? 1 : 0);
      if (isUser) expect((await visitor.row())?.get('viewed_goods')).to.deep.equal([4, 5, 7, 6, 2]);
    });
  }

  it('move from the cookie into the session when there is one', async () => {
    await visitor.get('/goods/1/');
    await visitor.logIn(ALICE);
    expect(await viewed()).to.deep.equal([1]);
    await visitor.get('/goods/2/');
    expect((await visitor.row())?.get('viewed_goods')).to.deep.equal([2, 1]);
    expect(visitor.cookies.has('viewed_goods')).to.equal(false);
  });

  it('are not written again when the same one is looked at again', async () => {
    await visitor.logIn(ALICE);
    await visitor.get('/goods/1/');
    expect((await visitor.get('/goods/1/')).set_cookie.join()).to.not.include('sessionid');
  });

  it('are not remembered from a cookie that was changed', async () => {
    await visitor.get('/goods/1/');
    visitor.cookies.set('viewed_goods', `2${visitor.cookies.get('viewed_goods')?.slice(1)}`);
    expect(await viewed()).to.deep.equal([]);
  });

  it('survive whatever others wrote into the session', async () => {
    await visitor.logIn(ALICE);
    const odd: unknown[] = ['12', 5, {}, null, [null, '1', {}, [], 1.5, -1, 1e300, 2, 2, 99, 3], { length: 2, 0: 1 }];
    for (const value of odd) {
      await visitor.change((data) => data.set('viewed_goods', value));
      expect(await viewed()).to.deep.equal(Array.isArray(value) ? [2, 3] : []);
    }
  });
});

describe('a picture from the database', () => {
  const start = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">';

  const plain = [
    `${start}<path d="M1 2l-3.5e1 4z" fill="#fff" stroke-width="2"/></svg>`,
    `${start}\n<g transform="translate(1, 2) rotate(3)"><circle r="4" fill="rgb(1,2,3)"/></g>\n</svg>\n`,
    `${start}<title>Tea 茶</title><defs><linearGradient id="a"><stop offset="50%" stop-color="red"/></linearGradient></defs><rect fill="url(#a)"/></svg>`,
  ];
  for (const svg of plain) {
    it(`is taken: ${svg.slice(58, 120)}`, () => expect(isPlainSvg(svg)).to.equal(true));
  }

  const hostile = [
    '',
    'tea',
    '<img src="x">',
    `${start}<script>alert(1)</script></svg>`,
    `${start}<SCRIPT>alert(1)</SCRIPT></svg>`,
    `${start}<style>a{}</style></svg>`,
    `${start}<path onload="alert(1)"/></svg>`,
    `${start}<path d="M1 1" style="fill:red"/></svg>`,
    `${start}<path d=M1/></svg>`,
    `${start}<path d='M1'/></svg>`,
    `${start}<a href="https://evil.example/"><path d="M1"/></a></svg>`,
    `${start}<image href="data:x"/></svg>`,
    `${start}<use href="#a"/></svg>`,
    `${start}<foreignObject><body/></foreignObject></svg>`,
    `${start}<rect fill="url(https://evil.example/#a)"/></svg>`,
    `${start}<rect fill="URL( //evil.example/a)"/></svg>`,
    `${start}<rect fill="javascript:alert(1)"/></svg>`,
    `${start}<rect fill="&quot;"/></svg>`,
    `${start}&lt;script&gt;</svg>`,
    `${start}<!-- --></svg>`,
    `${start}<![CDATA[<script>]]></svg>`,
    `<?xml version="1.0"?>${start}</svg>`,
    `${start}</svg><p>x</p></svg>`,
    '<svg xmlns="http://evil.example/"></svg>',
  ];
  for (const svg of hostile) {
    it(`is refused: ${svg.replace(start, '…')}`, () => expect(isPlainSvg(svg)).to.equal(false));
  }

  it('is judged in linear time, whatever it is', async () => {
    const parts = fc.constantFrom(
      '<svg ',
      '<path ',
      'd="',
      '"',
      '>',
      '/>',
      ' ',
      'a',
      '</svg>',
      '<',
      '&',
      '\n',
      'x="y" ',
    );
    for (const pieces of fc.sample(fc.array(parts, { minLength: 1, maxLength: 12 }), 200)) {
      const part = pieces.join('');
      const svg = (size: number): string => `<svg ${part.repeat(Math.ceil(size / part.length)).slice(0, size)}</svg>`;
      await expectLinear(svg, isPlainSvg, 4096);
    }
  });
});
