/**
 * `koa_goods`: the dozen goods of the shop pages, with names in two languages and pictures drawn as SVG. Not a table of
 * Django.
 */
import type { Knex } from 'knex';
import { existing, madeBefore } from '../server/schema.js';

interface Good {
  readonly name_en: string;
  readonly name_zh: string;
  readonly description_en: string;
  readonly description_zh: string;
  readonly price_cents: number;
  /** Shapes in a viewBox of 200 by 200. Presentation attributes only: a Content-Security-Policy blocks `style`. */
  readonly drawing: string;
}

const GOODS: readonly Good[] = [
  {
    name_en: 'Green tea',
    name_zh: '绿茶',
    description_en: 'Spring leaves from a hillside garden, rolled by hand. 100 g in a tin.',
    description_zh: '山坡茶园的春茶，手工揉捻。罐装 100 克。',
    price_cents: 1250,
    drawing: `<ellipse cx="96" cy="158" rx="70" ry="10" fill="#c9d8c5"/>
<path d="M46 88h100l-10 58q-3 12-15 12H71q-12 0-15-12z" fill="#fff" stroke="#2f5d3a" stroke-width="5"/>
<path d="M145 98q32-2 27 22-4 20-33 18" fill="none" stroke="#2f5d3a" stroke-width="5"/>
<ellipse cx="96" cy="90" rx="50" ry="10" fill="#8fb569" stroke="#2f5d3a" stroke-width="5"/>
<path d="M78 70q-10-14 0-26M98 66q-10-16 0-30M118 70q-10-14 0-26" fill="none" stroke="#8aa593" stroke-width="5" stroke-linecap="round"/>
<path d="M96 138q-24-6-20-32 24 4 20 32z" fill="#5d9b4c"/><path d="M98 138q24-6 20-32-24 4-20 32z" fill="#77b25f"/>`,
  },
  {
    name_en: 'Clay teapot',
    name_zh: '紫砂壶',
    description_en: 'Unglazed clay that remembers the tea brewed in it. Holds three small cups.',
    description_zh: '无釉紫砂，越养越润。可斟三小杯。',
    price_cents: 4800,
    drawing: `<ellipse cx="100" cy="162" rx="62" ry="9" fill="#e2d3c5"/>
<path d="M52 112l-30-22q-8-4-3 8l27 42" fill="#8c4f36"/>
<path d="M146 96q40-6 36 28-3 24-40 22" fill="none" stroke="#8c4f36" stroke-width="11"/>
<path d="M44 118q0-38 56-38t56 38-32 44H76q-32-6-32-44z" fill="#a35f42"/>
<path d="M66 84q34-20 68 0z" fill="#8c4f36"/><circle cx="100" cy="66" r="9" fill="#8c4f36"/>
<path d="M62 108q6-14 24-16" fill="none" stroke="#c98a6c" stroke-width="6" stroke-linecap="round"/>`,
  },
  {
    name_en: 'Paper fan',
    name_zh: '折扇',
    description_en: 'Bamboo ribs and rice paper, with a branch of plum. Folds into a pocket.',
    description_zh: '竹骨宣纸，绘梅一枝，收起可入袋。',
    price_cents: 990,
    drawing: `<path d="M100 164L18 96A116 116 0 0 1 182 96z" fill="#f6e3c2" stroke="#9b6b3a" stroke-width="4" stroke-linejoin="round"/>
<path d="M100 164L46 74M100 164L80 58M100 164l20-106M100 164l54-90" stroke="#d8b887" stroke-width="3"/>
<path d="M100 164L60 131A52 52 0 0 1 140 131z" fill="#9b6b3a"/>
<path d="M44 106q44-6 60-28t50-8" fill="none" stroke="#6b4a33" stroke-width="4" stroke-linecap="round"/>
<g fill="#d4526e"><circle cx="72" cy="94" r="7"/><circle cx="104" cy="76" r="8"/><circle cx="132" cy="68" r="6"/><circle cx="124" cy="88" r="5"/></g>
<circle cx="100" cy="162" r="6" fill="#5b3d20"/>`,
  },
  {
    name_en: 'Writing brush',
    name_zh: '毛笔',
    description_en: 'Goat and weasel hair in a bamboo shaft; keeps its point through a page.',
    description_zh: '羊毫兼狼毫，竹杆，写满一页锋不散。',
    price_cents: 1680,
    drawing: `<path d="M30 172q40-22 78-12t62-14" fill="none" stroke="#333" stroke-width="9" stroke-linecap="round"/>
<path d="M166 20l12 12L98 122l-14-14z" fill="#c79a5b" stroke="#7a5527" stroke-width="4" stroke-linejoin="round"/>
<path d="M140 46l14 14M120 68l14 14" stroke="#7a5527" stroke-width="4"/>
<path d="M84 108l14 14-10 10-14-14z" fill="#7b2d26"/>
<path d="M74 118l14 14q-8 26-46 30 6-34 32-44z" fill="#efe6d6" stroke="#8d8272" stroke-width="4" stroke-linejoin="round"/>
<path d="M60 138l12 12q-10 10-30 12 4-16 18-24z" fill="#333"/>`,
  },
  {
    name_en: 'Ink stone',
    name_zh: '砚台',
    description_en: 'Dark slate with a carved moon. A few drops of water, a slow hand, and there is ink.',
    description_zh: '墨色石砚，刻月一轮。几滴清水，慢慢研磨，便得好墨。',
    price_cents: 3600,
    drawing: `<rect x="30" y="44" width="140" height="120" rx="22" fill="#3c4149"/>
<rect x="42" y="56" width="116" height="96" rx="14" fill="#565d68"/>
<ellipse cx="92" cy="112" rx="42" ry="30" fill="#22252a"/>
<path d="M66 104q20-18 50-6" fill="none" stroke="#6f7885" stroke-width="5" stroke-linecap="round"/>
<path d="M136 66a16 16 0 1 0 12 26 20 20 0 0 1-12-26z" fill="#d9dde3"/>
<rect x="122" y="116" width="50" height="18" rx="4" fill="#15171a" transform="rotate(-38 147 125)"/>
<rect x="148" y="104" width="16" height="8" fill="#c9a227" transform="rotate(-38 156 108)"/>`,
  },
  {
    name_en: 'Paper lantern',
    name_zh: '灯笼',
    description_en: 'Red paper over thin hoops, with a tassel. Comes flat, opens in one pull.',
    description_zh: '红纸细骨，配流苏。平放寄送，一拉即开。',
    price_cents: 1420,
    drawing: `<path d="M100 16v26" stroke="#6b4a33" stroke-width="5"/>
<ellipse cx="100" cy="96" rx="66" ry="52" fill="#d3362f"/>
<path d="M100 44v104M72 49q-22 47 0 94M128 49q22 47 0 94M50 62q-14 34 0 68M150 62q14 34 0 68" fill="none" stroke="#a3211d" stroke-width="4"/>
<rect x="74" y="36" width="52" height="13" rx="4" fill="#e9b949"/><rect x="74" y="143" width="52" height="13" rx="4" fill="#e9b949"/>
<path d="M86 156v28M95 156v34M105 156v34M114 156v28" stroke="#e9b949" stroke-width="4" stroke-linecap="round"/>
<path d="M52 84q6-20 24-28" fill="none" stroke="#f0837c" stroke-width="6" stroke-linecap="round"/>`,
  },
  {
    name_en: 'Silk scarf',
    name_zh: '丝巾',
    description_en: 'Mulberry silk in the blues of a lake at dusk. 90 cm square.',
    description_zh: '桑蚕丝，暮色湖蓝。90 厘米见方。',
    price_cents: 5900,
    drawing: `<path d="M30 40q40 18 76 2t66 6q-8 26 4 52t-8 62q-34-14-68 0t-66-2q10-32-2-60t-2-60z" fill="#3f79a8"/>
<path d="M42 54q34 12 66-2t54 4q-4 20 4 44t-6 48q-28-8-60 4t-50-4q6-26-4-48t-4-46z" fill="#6ea5cc"/>
<path d="M56 84q26-14 48 0t48-2M54 110q26-14 50 0t50-2M60 136q24-12 46 0t46-4" fill="none" stroke="#cfe4f3" stroke-width="6" stroke-linecap="round"/>
<circle cx="132" cy="70" r="11" fill="#f3c677"/>`,
  },
  {
    name_en: 'Steamer basket',
    name_zh: '蒸笼',
    description_en: 'Two tiers of bamboo and a woven lid, for a pot of 20 cm.',
    description_zh: '竹制两层带编盖，适用 20 厘米锅。',
    price_cents: 2150,
    drawing: `<path d="M70 30q-8-10 0-20M100 28q-8-10 0-22M130 30q-8-10 0-20" fill="none" stroke="#b9c3c9" stroke-width="5" stroke-linecap="round"/>
<path d="M34 78q0-36 66-36t66 36z" fill="#e3bf80" stroke="#9b6b3a" stroke-width="4"/>
<path d="M60 74q4-24 40-28M100 46q36 4 40 28M80 74q2-18 20-28 18 10 20 28" fill="none" stroke="#b98c4d" stroke-width="3"/>
<rect x="84" y="34" width="32" height="10" rx="5" fill="#9b6b3a"/>
<rect x="28" y="78" width="144" height="42" rx="6" fill="#d9ae69" stroke="#9b6b3a" stroke-width="4"/>
<rect x="28" y="124" width="144" height="42" rx="6" fill="#d9ae69" stroke="#9b6b3a" stroke-width="4"/>
<path d="M30 92h140M30 138h140" stroke="#b98c4d" stroke-width="5"/>
<path d="M64 80v38M136 80v38M64 126v38M136 126v38" stroke="#9b6b3a" stroke-width="4"/>`,
  },
  {
    name_en: 'Kite',
    name_zh: '风筝',
    description_en: 'A swallow of paper and split bamboo that climbs in a light wind. With 60 m of line.',
    description_zh: '纸糊沙燕，微风即起。附线 60 米。',
    price_cents: 1880,
    drawing: `<path d="M100 34l20 34-20 66-20-66z" fill="#2b2f4a"/>
<path d="M84 66Q44 36 14 62q34 4 46 30 18-14 28-6z" fill="#d3362f"/><path d="M116 66q40-30 70-4-34 4-46 30-18-14-28-6z" fill="#d3362f"/>
<path d="M30 62q22 2 34 20M170 62q-22 2-34 20" fill="none" stroke="#f3c677" stroke-width="5" stroke-linecap="round"/>
<path d="M96 126l-34 46 38-22 38 22-34-46z" fill="#2b2f4a"/>
<circle cx="92" cy="54" r="4" fill="#fff"/><circle cx="108" cy="54" r="4" fill="#fff"/>
<path d="M100 96q30 40 84 92" fill="none" stroke="#8d8272" stroke-width="3" stroke-dasharray="6 5"/>`,
  },
  {
    name_en: 'Porcelain bowl',
    name_zh: '青花碗',
    description_en: 'White porcelain with a painted blue wave. Safe for the dishwasher, made for noodles.',
    description_zh: '白瓷青花海浪纹，可入洗碗机，盛面正好。',
    price_cents: 1560,
    drawing: `<ellipse cx="100" cy="164" rx="58" ry="8" fill="#d6dbe3"/>
<path d="M24 74h152q-2 62-50 78v10H74v-10Q26 136 24 74z" fill="#fbfcfe" stroke="#27509b" stroke-width="5" stroke-linejoin="round"/>
<ellipse cx="100" cy="74" rx="76" ry="15" fill="#eef2f8" stroke="#27509b" stroke-width="5"/>
<path d="M36 112q12-16 24 0t24 0 24 0 24 0 28-4" fill="none" stroke="#27509b" stroke-width="6" stroke-linecap="round"/>
<path d="M48 130q12-14 24 0t24 0 24 0 26-4" fill="none" stroke="#6f93d1" stroke-width="5" stroke-linecap="round"/>`,
  },
  {
    name_en: 'Oil-paper umbrella',
    name_zh: '油纸伞',
    description_en: 'Forty bamboo ribs under oiled paper. Sounds well in the rain.',
    description_zh: '四十根竹骨，油纸伞面，雨声好听。',
    price_cents: 3990,
    drawing: `<path d="M100 40v120q0 18 18 18t16-16" fill="none" stroke="#6b4a33" stroke-width="6" stroke-linecap="round"/>
<path d="M14 110Q26 40 100 32q74 8 86 78-22-14-43 0-21-14-43 0-21-14-43 0-21-14-43 0z" fill="#2f7f79"/>
<path d="M100 32Q66 60 57 110M100 32q34 28 43 78M100 32v78" fill="none" stroke="#1f5a55" stroke-width="4"/>
<path d="M30 88Q44 58 76 46" fill="none" stroke="#77bdb6" stroke-width="5" stroke-linecap="round"/>
<path d="M94 22h12v14H94z" fill="#6b4a33"/>
<g fill="#f2b5c1"><circle cx="126" cy="72" r="7"/><circle cx="138" cy="84" r="5"/><circle cx="72" cy="82" r="6"/></g>`,
  },
  {
    name_en: 'Mooncakes',
    name_zh: '月饼',
    description_en: 'Lotus paste and a salted yolk, four in a box, for sharing under the full moon.',
    description_zh: '莲蓉蛋黄，一盒四枚，月圆时同享。',
    price_cents: 2680,
    drawing: `<circle cx="150" cy="46" r="28" fill="#fbe9b0"/>
<g fill="#c98a3c" stroke="#8f5a1d" stroke-width="4"><circle cx="82" cy="112" r="56"/></g>
<g fill="#c98a3c"><circle cx="82" cy="56" r="11"/><circle cx="122" cy="72" r="11"/><circle cx="138" cy="112" r="11"/><circle cx="122" cy="152" r="11"/><circle cx="82" cy="168" r="11"/><circle cx="42" cy="152" r="11"/><circle cx="26" cy="112" r="11"/><circle cx="42" cy="72" r="11"/></g>
<circle cx="82" cy="112" r="40" fill="#dba55a" stroke="#8f5a1d" stroke-width="4"/>
<path d="M82 80v64M50 112h64M60 90l44 44M104 90l-44 44" stroke="#8f5a1d" stroke-width="4" stroke-linecap="round"/>
<path d="M126 178a40 40 0 0 1 60-46z" fill="#e7c38d" stroke="#8f5a1d" stroke-width="4" stroke-linejoin="round"/><circle cx="158" cy="152" r="13" fill="#e8862e"/>`,
  },
];

const svg = (drawing: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" aria-hidden="true">${drawing.replaceAll('\n', '')}</svg>`;

const TABLE = 'koa_goods';
const TEXTS = ['name_en', 'name_zh', 'description_en', 'description_zh'] as const;

export async function up(knex: Knex): Promise<void> {
  if (await madeBefore(knex, TABLE, ['id', ...TEXTS, 'price_cents', 'svg'])) return;
  await knex.schema.createTable(TABLE, (table) => {
    table.specificType('id', 'integer GENERATED BY DEFAULT AS IDENTITY').primary();
    for (const name of TEXTS) table.text(name).notNullable();
    table.integer('price_cents').notNullable().checkPositive('koa_goods_price_cents_check');
    table.text('svg').notNullable();
  });
  await knex(TABLE).insert(GOODS.map(({ drawing, ...good }) => ({ ...good, svg: svg(drawing) })));
}

export async function down(knex: Knex): Promise<void> {
  await knex.schema.dropTable(TABLE);
}

/** The tables that `down` would drop. */
export function drops(knex: Knex): Promise<readonly string[]> {
  return existing(knex, [TABLE]);
}
