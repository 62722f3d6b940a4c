/** `/goods/` and `/goods/<id>/`: the list of goods, a page for each, and the last viewed ones. */
import { requestDeadline } from '../index.js';
import { price, shorten } from './format.js';
import { type Language, messages } from './i18n.js';
import { isPlainSvg } from './safe_svg.js';
import type { Handler, Site } from './site.js';
import { type GoodRow, isGoodId } from './tables.js';
import { addViewedGood, viewedGoods } from './viewed_goods.js';
import { markup } from './views.js';

/** A product as the templates show it. */
interface Good {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly price: string;
  /** Checked SVG markup. */
  readonly picture: unknown;
}

/** How many characters of an unknown product number are shown to the visitor. */
const LONGEST_ID = 20;
/** Control characters and direction marks: NUL is not allowed in HTML, and U+202E reverses the text. */
const UNSEEN = /\p{C}/u;

export function goodsList(site: Site): Handler {
  return async function goodsList(ctx) {
    const language = site.pages.language(ctx);
    const rows = await site.tables.goods(requestDeadline(ctx));
    const viewed = viewedGoods(ctx).flatMap((id) => rows.filter((row) => row.id === id));
    await site.pages.render(ctx, 'goods', { goods: shownAll(rows, language), viewed: shownAll(viewed, language) });
  };
}

export function goodPage(site: Site): Handler {
  return async function goodPage(ctx, params) {
    const deadline = requestDeadline(ctx);
    const id = idIn(params['id'] ?? '');
    const [good] = id === null ? [] : await site.tables.goodsById([id], deadline);
    const language = site.pages.language(ctx);
    if (good === undefined) {
      const asked = shorten(params['id'] ?? '', LONGEST_ID);
      if (!UNSEEN.test(asked)) site.pages.missing(ctx, messages(language).goods_missing(asked));
      return;
    }
    const viewed = await site.tables.goodsById(addViewedGood(ctx, good.id, site.settings), deadline);
    await site.pages.render(ctx, 'good', { good: shown(good, language), viewed: shownAll(viewed, language) });
  };
}

/** Ids begin at 1 and have at most ten digits; `01` would be a second URL of the same page. */
function idIn(text: string): number | null {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  return isGoodId(id) ? id : null;
}

const shownAll = (rows: readonly GoodRow[], language: Language): Good[] => rows.map((row) => shown(row, language));

function shown(row: GoodRow, language: Language): Good {
  const chinese = language === 'zh-hans';
  return {
    id: row.id,
    name: chinese ? row.name_zh : row.name_en,
    description: chinese ? row.description_zh : row.description_en,
    price: price(row.price_cents, language),
    picture: markup(isPlainSvg(row.svg) ? row.svg : ''),
  };
}
