/** Checks pictures from the database, which pages contain unescaped. */

const ELEMENTS = new Set(
  'svg g title path rect circle ellipse line polyline polygon defs linearGradient radialGradient stop'.split(' '),
);
const ATTRIBUTES = new Set(
  (
    'xmlns viewBox width height role id d x y x1 y1 x2 y2 cx cy r rx ry points offset transform opacity fill ' +
    'fill-rule fill-opacity stroke stroke-width stroke-linecap stroke-linejoin stroke-opacity stroke-dasharray ' +
    'stop-color stop-opacity gradientUnits gradientTransform aria-hidden focusable'
  ).split(' '),
);
const MAX_LENGTH = 20_000;

// tag = "<" ["/"] name *( blank name '="' value '"' ) ["/"] ">", starting at the end of the previous one
const TAG = /<\/?([A-Za-z]+)((?:\s+[A-Za-z0-9-]+="[^"<>&]*")*)\s*\/?>/y;
const ATTRIBUTE = /\s+([A-Za-z0-9-]+)="([^"]*)"/gy;
const XMLNS = 'http://www.w3.org/2000/svg';

/** Whether `svg` is only a drawing: no script, style, event handler, link or external resource. */
export function isPlainSvg(svg: string): boolean {
  const text = svg.trim();
  if (text.length > MAX_LENGTH || !text.startsWith('<svg') || !text.endsWith('</svg>')) return false;
  let at = 0;
  while (at < text.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(text);
    if (tag === null || !ELEMENTS.has(tag[1] ?? '')) return false;
    for (const [, name = '', value = ''] of (tag[2] ?? '').matchAll(ATTRIBUTE)) {
      if (!ATTRIBUTES.has(name) || !isPlainValue(name, value)) return false;
    }
    // Text between tags must not contain markup or entities.
    const next = text.indexOf('<', TAG.lastIndex);
    const end = next === -1 ? text.length : next;
    if (/[>&]/.test(text.slice(TAG.lastIndex, end))) return false;
    at = end;
  }
  return true;
}

/** Numbers, colours, paths, and references within the same picture. */
function isPlainValue(name: string, value: string): boolean {
  if (name === 'xmlns') return value === XMLNS;
  return /^[\w\s#.,()%+/-]*$/.test(value) && !/url\(\s*(?!#)/i.test(value);
}
