/**
 * `instanceof` for objects that another copy of this package has made. npm installs two copies where an application and one
 * of its packages ask for different versions, and a class of one copy is not the class of the other.
 */

interface Class {
  readonly prototype: object;
}

const MARKS = new WeakMap<Class, symbol>();

/**
 * Lets `instanceof` of these classes be true for the objects of each copy. Their prototypes are marked with registered symbols
 * (`Symbol.for`), which are the same in each copy. undici does so with its errors.
 *
 * @param classes by a name that stays the same in later versions, as long as the objects can be used in the same way
 */
export function markClasses(classes: Readonly<Record<string, Class>>): void {
  for (const [name, marked] of Object.entries(classes)) {
    const mark = Symbol.for(`koa-django-session.${name}`);
    MARKS.set(marked, mark);
    Object.defineProperty(marked.prototype, mark, { value: true });
    Object.defineProperty(marked, Symbol.hasInstance, { value: hasInstance });
  }
}

/** Classes that are derived from a marked one inherit this function. They have no mark, and the usual `instanceof`. */
function hasInstance(this: Class, value: unknown): boolean {
  const mark = MARKS.get(this);
  if (mark === undefined) return Function.prototype[Symbol.hasInstance].call(this, value);
  return typeof value === 'object' && value !== null && mark in value;
}
