/** When a session ends. */
import { expect } from 'chai';
import fc from 'fast-check';
import { ValueError } from '../../server/errors.js';
import {
  type ExpiryInput,
  expiryValue,
  get_expire_at_browser_close,
  get_expiry_age,
  get_expiry_date,
} from '../../server/session/expiry.js';
import { printJson } from '../../server/signing/python_json.js';
import { type VectorEntry, vectorSuite } from '../support/vectors.js';

type Raises = { readonly raises: string; readonly message: string };

interface ExpiryEntry extends VectorEntry {
  readonly id: string;
  readonly stored: unknown;
  readonly absent: boolean;
  readonly now: string;
  readonly use_tz: boolean;
  readonly session_cookie_age: number;
  readonly expire_at_browser_close: boolean;
  readonly get_expiry_age: number | boolean | string | Raises;
  readonly get_expiry_date: string | Raises;
  readonly get_expire_at_browser_close: boolean;
}

/** Unix seconds of Python's isoformat; without a zone it stands for UTC here, as the vectors' machine ran in UTC. */
const unix = (iso: string): number => Date.parse(/[+Z]|-\d\d:\d\d$/.test(iso) ? iso : `${iso}Z`) / 1000;

const raises = (value: unknown): boolean => typeof value === 'object' && value !== null;

function contextOf({ now, session_cookie_age }: ExpiryEntry) {
  return { cookieAge: session_cookie_age, modification: unix(now) };
}

/** The entry's answers; Date has milliseconds, so a date's microseconds are dropped. */
function checkExpiry(entry: ExpiryEntry): void {
  const stored = entry.absent ? null : entry.stored;
  expect(get_expiry_age(stored, contextOf(entry))).to.equal(Number(entry.get_expiry_age));
  expect(get_expiry_date(stored, contextOf(entry)).getTime()).to.equal(unix(String(entry.get_expiry_date)) * 1000);
  expectClose(entry);
}

function expectClose(entry: ExpiryEntry): void {
  const { stored, absent, expire_at_browser_close: setting } = entry;
  expect(get_expire_at_browser_close(absent ? null : stored, setting, contextOf(entry))).to.equal(
    entry.get_expire_at_browser_close,
  );
}

/** Where Django raises on what is stored, the session ends as after set_expiry(0). */
function checkFallback(entry: ExpiryEntry): void {
  const { stored, session_cookie_age } = entry;
  expect(get_expiry_age(stored, contextOf(entry))).to.equal(session_cookie_age);
  const end = unix(entry.now) + session_cookie_age;
  expect(get_expiry_date(stored, contextOf(entry)).getTime()).to.equal(end * 1000);
  expect(get_expire_at_browser_close(stored, entry.expire_at_browser_close, contextOf(entry))).to.equal(true);
}

vectorSuite<ExpiryEntry>(
  'expiry',
  (entry) => {
    if (!raises(entry.get_expiry_age) && !raises(entry.get_expiry_date)) checkExpiry(entry);
    else if (isoDate(entry.stored)) checkNaive(entry);
    else checkFallback(entry);
  },
  {
    elsewhere: { use_tz: 'no setting here: a date with a zone is that moment, one without is UTC' },
    // Up to 4.0 a stored text was no date to Django, and failed; the newest reads it, and so do we.
    older: (entry) => {
      const { stored, get_expiry_age: age, get_expiry_date: date } = entry;
      expect(typeof age === 'string' || raises(age) || stored === '').to.equal(true);
      expect(raises(date) || stored === '').to.equal(true);
      if (isoDate(stored)) checkNaive(entry);
      else checkFallback(entry);
    },
  },
);

const isoDate = (stored: unknown): stored is string => typeof stored === 'string' && /^\d{4}-\d\d-\d\d/.test(stored);

/** A date that Django of some version or setting cannot compare: we take one without a zone for UTC. */
function checkNaive(entry: ExpiryEntry): void {
  const { stored, now } = entry;
  // Date.parse reads a date alone as UTC, too.
  const moment = String(stored).length === 10 ? Date.parse(String(stored)) : unix(String(stored)) * 1000;
  expect(get_expiry_age(stored, contextOf(entry))).to.equal(Math.floor(moment / 1000 - unix(now)));
  expect(get_expiry_date(stored, contextOf(entry)).getTime()).to.equal(Math.floor(moment));
  expectClose(entry);
}

interface SetExpiryEntry extends VectorEntry {
  readonly id: string;
  readonly use_tz: boolean;
  readonly now: string;
  readonly session: { readonly _session_expiry?: unknown };
  readonly modified: boolean;
  readonly encodable: boolean | string;
}

/** What was given to set_expiry, where that is not what was stored. Text stands for a datetime without a zone. */
const GIVEN: Readonly<Record<string, ExpiryInput>> = {
  none: null,
  td_1h: { hours: 1 },
  td_no_tz: { hours: 1 },
  td_ms: { milliseconds: 1500 },
  dt_aware: new Date('2026-09-01T00:00:00Z'),
  dt_aware_micro: new Date('2026-09-01T00:00:00.123Z'),
  dt_offset: new Date('2026-09-01T00:00:00+05:30'),
};

const givenTo = ({ id, session }: SetExpiryEntry): ExpiryInput =>
  Object.hasOwn(GIVEN, id) ? (GIVEN[id] ?? null) : (session._session_expiry as number | string);

vectorSuite<SetExpiryEntry>(
  'set_expiry',
  (entry) => {
    const value = expiryValue(givenTo(entry), unix(entry.now));
    const { _session_expiry: stored = null } = entry.session;
    // Django stores a moment without a zone, and answers 500 when it next compares it with its clock. Ours is in UTC.
    expect(value).to.deep.equal(entry.id === 'dt_naive' ? `${String(stored)}+00:00` : stored);
    expect(entry.encodable, 'the newest Django stores nothing that JSON cannot hold').to.equal(true);
    printJson(value);
  },
  {
    elsewhere: {
      modified: 'test/session/session.test.ts',
      use_tz: 'no setting here: what is stored always has a zone',
    },
    // Up to 4.0 Django kept a datetime as it was, and JSON could not hold it. We store its text, in UTC.
    older: (entry) => {
      expect(entry.encodable).to.match(/^TypeError/);
      const { python_datetime } = entry.session._session_expiry as { python_datetime: string };
      const value = String(expiryValue(givenTo(entry), unix(entry.now)));
      expect(value).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00$/);
      expect(Date.parse(value) / 1000).to.equal(unix(python_datetime));
    },
  },
);

const NOW = 1_767_225_600.25;
const context = { cookieAge: 1_209_600, modification: NOW };

describe('get_expiry_age and get_expiry_date', () => {
  it('count from the last change', () => {
    expect(get_expiry_age(90.5, context)).to.equal(90.5);
    expect(get_expiry_date(90.5, context).toISOString()).to.equal('2026-01-01T00:01:30.750Z');
  });

  it('say how long ago a date was, in whole seconds downwards', () => {
    expect(get_expiry_age('2026-01-01T00:00:00+00:00', context)).to.equal(-1);
    expect(get_expiry_age('2026-01-01T00:00:01.249999+00:00', context)).to.equal(0);
    expect(get_expiry_age('2026-01-01T00:00:01.250000+00:00', context)).to.equal(1);
  });

  it('read what Python 3.11 calls ISO dates', () => {
    const same = [
      '2026-01-01T00:00:00Z',
      '2026-01-01 00:00:00',
      '2026-01-01T05:30:00.000000+05:30',
      '2025-12-31T18:59:30-05:00:30',
      '2026-01-01T00:00',
      '2026-01-01T00',
      '2026-01-01',
    ];
    for (const text of same) {
      expect(get_expiry_date(text, context).toISOString(), text).to.equal('2026-01-01T00:00:00.000Z');
    }
  });

  it('take a carried offset to the microsecond', () => {
    for (const [text, iso] of [
      ['2026-01-01T00:00:00.000000+00:00:01.500000', '2025-12-31T23:59:58.500Z'],
      ['2026-01-01T00:00:00.750000-00:00:01.500000', '2026-01-01T00:00:02.250Z'],
    ] as const) {
      expect(get_expiry_date(text, context).toISOString(), text).to.equal(iso);
    }
  });

  it('never throw, and agree, whatever JSON lies there', () => {
    const dates = fc
      .date({ noInvalidDate: false })
      .map((date) => (Number.isNaN(date.getTime()) ? '' : date.toISOString()));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.double(), fc.bigInt(), fc.string(), dates), (stored) => {
        const age = get_expiry_age(stored, { ...context, modification: 1_767_225_600 });
        const date = get_expiry_date(stored, { ...context, modification: 1_767_225_600 });
        expect(date.getTime() / 1000 - 1_767_225_600).to.be.closeTo(age, 1);
        expect(date.toISOString()).to.match(/^\d{4}-/);
      }),
    );
  });

  for (const stored of [
    'soon',
    '',
    '3600',
    '2026-02-30',
    '2026-01-01T25:00:00',
    [1],
    { a: 1 },
    1e300,
    -1e300,
    10n ** 30n,
    Number.NaN,
    '9999-12-31T23:59:59-01:00',
  ]) {
    it(`take ${typeof stored === 'bigint' ? stored : JSON.stringify(stored)} for no end: the browser's, and SESSION_COOKIE_AGE`, () => {
      expect(get_expiry_age(stored, context)).to.equal(1_209_600);
      expect(get_expiry_date(stored, context).toISOString()).to.equal('2026-01-15T00:00:00.250Z');
      for (const setting of [true, false]) expect(get_expire_at_browser_close(stored, setting, context)).to.equal(true);
    });
  }

  // Python's `not expiry`: Django counts these as nothing, but for what it asks of the cookie.
  for (const stored of [[], {}]) {
    it(`take ${JSON.stringify(stored)} for nothing stored, as Django does`, () => {
      expect(get_expiry_age(stored, context)).to.equal(1_209_600);
      expect(get_expiry_date(stored, context).toISOString()).to.equal('2026-01-15T00:00:00.250Z');
      for (const setting of [true, false])
        expect(get_expire_at_browser_close(stored, setting, context)).to.equal(false);
    });
  }
});

describe('expiryValue', () => {
  it('keeps numbers and text', () => {
    for (const value of [0, 3600, -10, 1.5, '2026-09-01T00:00:00+05:30'])
      expect(expiryValue(value, NOW)).to.equal(value);
  });

  it('adds up a span from now, to the microsecond', () => {
    expect(expiryValue({ weeks: 1, days: 1, hours: 1, minutes: 1, seconds: 1 }, NOW)).to.equal(
      '2026-01-09T01:01:01.250000+00:00',
    );
    expect(expiryValue({ milliseconds: 750 }, NOW)).to.equal('2026-01-01T00:00:01+00:00');
    expect(expiryValue({ microseconds: 1 }, 1_767_225_600)).to.equal('2026-01-01T00:00:00.000001+00:00');
    expect(expiryValue({ hours: -1 }, 1_767_225_600)).to.equal('2025-12-31T23:00:00+00:00');
  });

  it('refuses what is no expiry, at once', () => {
    const wrong = [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      1e15,
      'soon',
      '',
      new Date(Number.NaN),
      {},
      { day: 1 },
      true,
      1n,
    ];
    for (const value of wrong) {
      expect(() => expiryValue(value as ExpiryInput, NOW), String(value)).to.throw(ValueError);
    }
  });

  it('stores what get_expiry_date gives back', () => {
    const dates = fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        const stored = expiryValue(date, NOW);
        expect(get_expiry_date(stored, context)).to.deep.equal(date);
      }),
    );
  });
});

describe('an expiry without USE_TZ', () => {
  const now = unix('2026-08-15T12:00:00.250000+00:00');
  const shanghai = { cookieAge: 100, modification: now, time_zone: 'Asia/Shanghai' };

  it('is kept as local time without an offset', () => {
    expect(expiryValue({ hours: 1 }, now, 'Asia/Shanghai')).to.equal('2026-08-15T21:00:00.250000');
    expect(expiryValue(new Date('2026-01-01T00:00:00Z'), now, 'America/Chicago')).to.equal('2025-12-31T18:00:00');
    expect(expiryValue(60, now, 'Asia/Shanghai')).to.equal(60);
  });

  it('is read as local time', () => {
    expect(get_expiry_age('2026-08-15T21:00:00.250000', shanghai)).to.equal(3600);
    expect(get_expiry_date('2026-08-15T21:00:00.250000', shanghai).toISOString()).to.equal('2026-08-15T13:00:00.250Z');
  });

  it('with an offset is the moment it says', () => {
    expect(get_expiry_age('2026-08-15T13:00:00.250000+00:00', shanghai)).to.equal(3600);
  });

  it('comes back as it was, at every hour of a year with summer time, but for the hour that comes twice', () => {
    for (const time_zone of ['America/Chicago', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe', 'UTC']) {
      const wrong: string[] = [];
      for (let hour = 0; hour < 366 * 24; hour += 1) {
        const moment = new Date(Date.UTC(2026, 0, 1, hour));
        const text = String(expiryValue(moment, now, time_zone));
        const back = get_expiry_date(text, { cookieAge: 100, modification: now, time_zone });
        if (back.getTime() !== moment.getTime()) wrong.push(`${text} is ${back.toISOString()}`);
      }
      expect(wrong.length, wrong.join(', ')).to.be.at.most(1);
    }
  });

  it('in an hour that summer time leaves out counts on from the offset before', () => {
    const context = { cookieAge: 100, modification: now, time_zone: 'Europe/Berlin' };
    expect(get_expiry_date('2026-03-29T02:30:00', context).toISOString()).to.equal('2026-03-29T01:30:00.000Z');
  });

  it('is refused beyond the years 1 to 9999 of local time', () => {
    expect(() => expiryValue(new Date('9999-12-31T23:00:00Z'), now, 'Asia/Shanghai')).to.throw(ValueError);
  });
});
