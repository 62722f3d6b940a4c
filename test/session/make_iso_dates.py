"""Makes iso_dates.json: what datetime.fromisoformat of this Python (3.11 or newer) reads, and as which moment.

    python test/session/make_iso_dates.py > test/session/iso_dates.json       the texts that the tests compare
    python test/session/make_iso_dates.py --seed 7 --count 200000             others, as many as one likes

Django reads the dates of sessions with it (SessionBase.get_expiry_age). An entry is a text and null where it raises,
otherwise Unix seconds, microseconds, and whether the text has an offset; one without is taken for UTC.
"""

import argparse
import json
import random
import sys
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1)

FIXED = """
2026-01-31T12:00:00+05:30|2026-01-31T12:00:00+0530|2026-01-31T12:00:00+05|20910203T040506Z|20910203T040506+0530
2091-W05-3|2091W053|2091-W05|2091W05|2091-W05-3T04:05:06Z|2091W053T040506Z|2026-W53-4|2027-W53-1|2020-W53-7|2020-W54-1
2026-W00-1|2026-W01-0|2026-W01-8|9999-W52-5|9999-W52-6|0001-W01-1|2026-032|2026032|2026-366|2026-01-31T|2026-01-31 |20260131T
2026-01-31T24:00|2026-01-31T24:00:00|2026-01-31T24:00:00Z|2026-01-31T24:00:01|2026-12-31T24:00:00|9999-12-31T24:00:00
2026-01-31T12:00:00,5|2026-01-31T12:00:00.5Z|2026-01-31T12:00:00.1234567|2026-01-31T12:00:00,123456789+00:00
2026-01-31T12.5|2026-01-31T12:30.5|2026-01-31T12,5|2026-01-31T1230.5|2026-01-31T12:00:00.|2026-01-31T12:00:00.Z
2026-01-31T12:00:00+05:30:15|2026-01-31T12:00:00+05:30:15.123456|2026-01-31T12:00:00+053015|2026-01-31T12:00:00+053015.5
2026-01-31T12:00:00+24:00|2026-01-31T12:00:00-23:59:59.999999|2026-01-31T12:00:00+23:99|2026-01-31T12:00:00+05:99
2026-01-31T12:00:00z|2026-01-31T12:00:00 Z|2026-01-31T12:00:00Z |2026-01-31T12:00:00ZZ|2026-01-31T12:00:00Z+00:00|2026-01-31T12:00:00+
2026-01-31T12|2026-01-31T12:00|2026-01-31T1200|2026-01-31T12:0000|2026-01-31T1200:00|2026-01-31T12:00:|2026-01-31T12:
2026-01-31T23:59:60|2026-01-31T12:60|2026-01-31T25:00|2026-13-01|2026-02-29|2024-02-29|2026-00-01|2026-01-00|0000-01-01
2026-1-31|2026-131|202601-31|2026-0131|26-01-31|2026-01|2026|12026-01-31|+2026-01-31|-2026-01-31||soon|3600|2026-01-31T-5:00
2026-01-31x12:00:00|2026-01-31\u00e912:00:00|2026-01-31\u4e0012:00:00|2026-01-31\U0001f51112:00:00|2026-01-31\ud80012:00:00|2026-01-31\u00e9
2026-01-31-12:00|2026-01-31+12:00|2026-01-31Z12:00|2026-01-31Z|2026-01-31+05:30|20260131Z|20260131-05|2026-W05-1200|2026-W05-12
2026-W05-3-1200|2026W051200|2026W0531200|2026W05T12|2026-W053|2026W05-3|2026-W05T12:00|2026-w05-3|2026-W5-3
\u0662\u0660\u0662\u0666-01-31|2026-01-31T1\u0662:00|2026-01-31T12:00:00\u2212 05:00|2026-01-31T12:00:00+5|2026-01-31T12:00:00+5:30
0001-01-01T00:00:00+05:00|9999-12-31T23:59:59.999999|9999-12-31T23:59:59-01:00|0001-01-01T00:00:00|1969-12-31T23:59:59.999999Z
2026-01-31T12:00:00-00:00|2026-01-31T12:00:00-00:00:00.000001|2026-01-31T12:00:00+00:00:00.5|2026-01-31T12:00:00+00:00:30
"""


def fixed():
    texts = [text for line in FIXED.strip("\n").split("\n") for text in line.split("|")]
    return texts + [" 2026-01-31", "2026-01-31\0", "2026-01-31T12:00:00Z\0", "2026-01-31T12:00:00Z\0x", "2026-01-31T12:00\n"]


def digits(rng, least, most, width):
    return str(rng.randint(least, most)).zfill(width)


def date(rng):
    year = digits(rng, 1, 9999, 4) if rng.random() < 0.5 else digits(rng, 2020, 2040, 4)
    month, day, dash = digits(rng, 1, 12, 2), digits(rng, 1, 29, 2), rng.choice(["-", "-", ""])
    week, weekday = digits(rng, 1, 53, 2), digits(rng, 1, 7, 1)
    return rng.choice([
        f"{year}{dash}{month}{dash}{day}",
        f"{year}{dash}W{week}{dash}{weekday}",
        f"{year}{dash}W{week}",
    ])


def clock(rng, hours):
    parts = [digits(rng, 0, hours, 2), digits(rng, 0, 59, 2), digits(rng, 0, 59, 2)][: rng.randint(1, 3)]
    text = rng.choice([":", ":", ""]).join(parts)
    if rng.random() < 0.4:
        text += rng.choice(".,") + digits(rng, 0, 10 ** (width := rng.randint(1, 9)) - 1, width)
    return text


def text(rng):
    made = date(rng)
    if rng.random() < 0.85:
        made += rng.choice("TTTT t_-+") + clock(rng, 24)
        if rng.random() < 0.7:
            made += "Z" if rng.random() < 0.3 else rng.choice("+-") + clock(rng, 24)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        place = rng.randint(0, len(made))
        change = rng.choice(["", "0", "9", ":", "-", "+", ".", ",", "T", "W", "Z", " ", "1", "5", "\u00e9", "\u4e00"])
        made = made[:place] + change + made[place + rng.randint(0, 1) :]
    return made


def reading(made):
    try:
        moment = datetime.fromisoformat(made)
    except ValueError:
        return [made, None]
    offset = moment.utcoffset()
    since = moment.replace(tzinfo=None) - EPOCH - (offset or timedelta(0))
    return [made, since.days * 86400 + since.seconds, since.microseconds, offset is not None]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1200)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    texts = dict.fromkeys([*fixed(), *(text(rng) for _ in range(given.count))])
    lines = ",\n".join(json.dumps(reading(made), separators=(",", ":")) for made in texts)
    print(f'{{"python":"{sys.version.split()[0]}","entries":[\n{lines}\n]}}')


main()
