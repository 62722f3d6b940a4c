/** Buttons for plain and signed cookies, with every parameter. */
import type { CookieOptions } from '../../index.js';
import { type Form, LabRefusal } from './form.js';
import { javascript, python } from './literals.js';
import { NOTEBOOK_COOKIE } from './mask.js';
import { type Bench, type Member, nothing, type Prepared } from './member.js';

/**
 * The maximum of all cookies together. The server refuses requests with more than MAX_HEADER_BYTES (16 kB) of headers, so
 * a browser with more cookies could not even delete them.
 */
const MOST_BYTES = 9000;

interface Option {
  readonly name: string;
  readonly python: string;
  readonly javascript: string;
}

/** The form's options for a call, and their source code. */
function optionsIn(form: Form): { readonly options: CookieOptions; readonly written: readonly Option[] } {
  const written: Option[] = [];
  const note = <Value>(
    name: string,
    value: Value,
    inPython = python(value),
    inJavascript = javascript(value),
  ): Value => {
    written.push({ name, python: inPython, javascript: inJavascript });
    return value;
  };
  const [max_age, expires] = [form.numberOrNull('max_age'), form.dateOrNull('expires')];
  const [path, domain, samesite] = [form.text('path'), form.text('domain'), form.text('samesite')];
  const options: CookieOptions = {
    ...(max_age !== null && { max_age: note('max_age', max_age) }),
    ...(expires !== null && {
      expires: note(
        'expires',
        expires,
        `datetime.fromisoformat("${expires.toISOString().slice(0, 16)}+00:00")`,
        `new Date('${expires.toISOString().slice(0, 16)}Z')`,
      ),
    }),
    ...(path !== '' && { path: note('path', path) }),
    ...(domain !== '' && { domain: note('domain', domain) }),
    ...(form.flag('secure') && { secure: note('secure', true) }),
    ...(form.flag('httponly') && { httponly: note('httponly', true) }),
    ...(samesite !== '' && { samesite: note('samesite', samesite) }),
  };
  return { options, written };
}

/** The call in Python, with keyword arguments, and in JavaScript, with an object. */
function call(where: string, name: string, args: readonly unknown[], written: readonly Option[]): Prepared['code'] {
  const object = written.map((option) => `${option.name}: ${option.javascript}`).join(', ');
  const named = written.map((option) => `${option.name}=${option.python}`);
  return {
    django: `${where}.${name}(${[...args.map(python), ...named].join(', ')})`,
    koa: `ctx.${name}(${[...args.map(javascript), ...(object === '' ? [] : [`{ ${object} }`])].join(', ')})`,
  };
}

/** @throws LabRefusal if the browser's next request would exceed the limit */
function checkRoom({ ctx }: Bench, name: string, value: string): void {
  const others = [...ctx.request.COOKIES].filter(([other]) => other !== name);
  const bytes = others.reduce((sum, [other, text]) => sum + Buffer.byteLength(other + text) + 3, 0);
  if (bytes + Buffer.byteLength(name + value) > MOST_BYTES) throw new LabRefusal('too_many_cookies');
}

/** The name of the cookie to set. @throws LabRefusal for the lab's own cookie */
function nameToSet(form: Form): string {
  const name = form.key('name');
  if (name === NOTEBOOK_COOKIE) throw new LabRefusal('own_cookie');
  return name;
}

const text = (name: string, value: string): Option => ({ name, python: python(value), javascript: javascript(value) });

export const COOKIE_MEMBERS: Readonly<Record<string, Member>> = {
  set_cookie(form) {
    const [name, value] = [nameToSet(form), form.text('cookie')];
    const { options, written } = optionsIn(form);
    return {
      code: call('response', 'set_cookie', [name, value], written),
      run(bench) {
        checkRoom(bench, name, value);
        return nothing(bench.ctx.set_cookie(name, value, options));
      },
    };
  },
  get_cookie(form) {
    const name = form.key('name');
    return {
      code: {
        django: `request.COOKIES.get(${python(name)})`,
        koa: `ctx.request.COOKIES.get(${javascript(name)})`,
      },
      run: ({ ctx }) => ctx.request.COOKIES.get(name) ?? null,
    };
  },
  delete_cookie(form) {
    const [name, path, domain, samesite] = [
      nameToSet(form),
      form.text('path'),
      form.text('domain'),
      form.text('samesite'),
    ];
    const given = Object.entries({ path, domain, samesite }).filter(([, value]) => value !== '');
    return {
      code: call(
        'response',
        'delete_cookie',
        [name],
        given.map(([key, value]) => text(key, value)),
      ),
      run: ({ ctx }) => nothing(ctx.delete_cookie(name, Object.fromEntries(given))),
    };
  },
  set_signed_cookie(form) {
    const [name, value, salt] = [nameToSet(form), form.text('cookie'), form.text('salt')];
    const { options, written } = optionsIn(form);
    return {
      code: call(
        'response',
        'set_signed_cookie',
        [name, value],
        [...(salt === '' ? [] : [text('salt', salt)]), ...written],
      ),
      run(bench) {
        checkRoom(bench, name, value);
        return nothing(bench.ctx.set_signed_cookie(name, value, { ...options, salt }));
      },
    };
  },
  get_signed_cookie(form) {
    const [name, salt, max_age] = [form.key('name'), form.text('salt'), form.numberOrNull('max_age')];
    const [other] = form.optional('default');
    const written = [
      ...(other === undefined ? [] : [{ name: 'default', python: python(other), javascript: javascript(other) }]),
      ...(salt === '' ? [] : [text('salt', salt)]),
      ...(max_age === null ? [] : [{ name: 'max_age', python: String(max_age), javascript: String(max_age) }]),
    ];
    return {
      code: call('request', 'get_signed_cookie', [name], written),
      run: ({ ctx }) =>
        ctx.request.get_signed_cookie(name, { salt, max_age, ...(other === undefined ? {} : { default: other }) }),
    };
  },
  forge(form) {
    const name = nameToSet(form);
    return {
      code: null,
      run({ ctx }) {
        const value = ctx.request.COOKIES.get(name);
        if (value === undefined || value === '') throw new LabRefusal('no_such_cookie');
        const first = value.startsWith('X') ? 'Y' : 'X';
        ctx.set_cookie(name, first + value.slice(1), { path: form.text('path') || '/' });
        return nothing(null);
      },
    };
  },
};
