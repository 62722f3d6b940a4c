/** Finds the regular expressions of a source text and asks recheck which of them may take more than linear time. */
import { parse } from '@babel/parser';
import { check } from 'recheck';

export interface FoundRegExp {
  readonly source: string;
  readonly flags: string;
  readonly line: number;
  /** Why its input is bounded, from a comment `Bounded: …` at the pattern. */
  readonly bounded: string | null;
}

interface Node {
  readonly type: string;
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } };
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  else if (isNode(value)) {
    yield value;
    for (const [field, child] of Object.entries(value)) if (field !== 'loc') yield* nodesOf(child);
  }
}

/** Methods that convert a string argument to a RegExp. */
const MAKES_REGEXP = new Set(['match', 'matchAll', 'search']);

/**
 * Every RegExp literal, and every RegExp built from constants of the same file.
 * @throws Error for one that is built from anything else, because it cannot be checked
 */
export function regexpsOf(code: string, file: string): readonly FoundRegExp[] {
  const { program, comments } = parse(code, { sourceType: 'module', plugins: ['typescript'] });
  const nodes = [...nodesOf(program)];
  const constants = new Map<string, Node>();
  for (const node of nodes) {
    if (node.type !== 'VariableDeclaration' || node['kind'] !== 'const') continue;
    for (const { id, init } of node['declarations'] as { id: Node; init: unknown }[]) {
      if (id.type === 'Identifier' && isNode(init)) constants.set(String(id['name']), init);
    }
  }
  const reasons = new Map<number, string>();
  for (const { value, loc } of comments ?? []) {
    const reason = /^\s*Bounded: (\S.*)/.exec(value)?.[1];
    if (reason !== undefined && loc) reasons.set(loc.start.line, reason);
  }
  // The comment is in the same line, or up to two lines above.
  const found = (node: Node, source: string, flags: string): FoundRegExp => {
    const { line } = node.loc.start;
    const bounded = [line, line - 1, line - 2].map((at) => reasons.get(at)).find((reason) => reason !== undefined);
    return { source, flags, line, bounded: bounded ?? null };
  };

  const all: FoundRegExp[] = [];
  for (const node of nodes) {
    if (node.type === 'RegExpLiteral') all.push(found(node, String(node['pattern']), String(node['flags'])));
    const made = madeOf(node);
    if (made === null) continue;
    const source = textOf(made.pattern, constants);
    const flags = made.flags === undefined ? '' : textOf(made.flags, constants);
    if (source !== null && flags !== null) all.push(found(node, source, flags));
    else if (made.pattern?.type !== 'RegExpLiteral') {
      throw new Error(
        `${file}:${node.loc.start.line}: a RegExp that is made of more than constants of this file cannot be checked.`,
      );
    }
  }
  return all;
}

/** The arguments of `new RegExp(…)`, `RegExp(…)` or `text.match('…')`; null for all other nodes. */
function madeOf(node: Node): { readonly pattern: Node | undefined; readonly flags: Node | undefined } | null {
  if (node.type !== 'NewExpression' && node.type !== 'CallExpression') return null;
  const callee = node['callee'] as Node;
  const [pattern, flags] = node['arguments'] as (Node | undefined)[];
  if (callee.type === 'Identifier' && callee['name'] === 'RegExp') return { pattern, flags };
  const property = callee.type === 'MemberExpression' ? (callee['property'] as Node) : undefined;
  const isText = pattern?.type === 'StringLiteral' || pattern?.type === 'TemplateLiteral';
  // String's methods have one argument; a router's `match` has two.
  return isText && flags === undefined && MAKES_REGEXP.has(String(property?.['name']))
    ? { pattern, flags: undefined }
    : null;
}

/** The value of a constant string; null for anything else. */
function textOf(node: Node | undefined, constants: ReadonlyMap<string, Node>): string | null {
  if (node?.type === 'StringLiteral') return String(node['value']);
  if (node?.type === 'Identifier') return textOf(constants.get(String(node['name'])), constants);
  if (node?.type !== 'TemplateLiteral') return null;
  const quasis = node['quasis'] as { value: { cooked: string } }[];
  const expressions = node['expressions'] as Node[];
  let text = '';
  for (const [index, { value }] of quasis.entries()) {
    const inserted = expressions[index] === undefined ? '' : textOf(expressions[index], constants);
    if (inserted === null) return null;
    text += value.cooked + inserted;
  }
  return text;
}

/** No time limits within recheck: on a busy machine, an aborted search reported quadratic time where there is none. */
const PATIENT = { timeout: 60_000, seedingTimeout: null, incubationTimeout: null, attackTimeout: null };

/** A sentence for each pattern that neither takes linear time nor has bounded input. */
export async function regexpProblems(found: readonly FoundRegExp[], file: string): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { source, flags, line, bounded } of found) {
    const result = await check(source, flags, PATIENT);
    const { status } = result;
    const at = `${file}:${line}: /${source}/${flags}`;
    if (status === 'safe' && bounded !== null) problems.push(`${at} takes linear time: remove the comment "Bounded".`);
    if (status === 'safe' || bounded !== null) continue;
    const cost =
      status === 'vulnerable' ? `takes ${result.complexity.summary} time` : `cannot be checked (${result.error.kind})`;
    problems.push(`${at} ${cost}. Make it linear, or bound its input and say how beside it: // Bounded: …`);
  }
  return problems;
}
