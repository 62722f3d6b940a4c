/** Local time in Django's TIME_ZONE: a Django with USE_TZ = False writes dates in it, without an offset. */

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(time_zone: string): Intl.DateTimeFormat {
  const kept = formats.get(time_zone);
  if (kept !== undefined) return kept;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: time_zone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  formats.set(time_zone, format);
  return format;
}

/** Local time at a moment: Unix seconds → the seconds that UTC would have for the same date and time of day. Whole seconds. */
export function wallClock(seconds: number, time_zone: string): number {
  const parts = new Map(
    formatOf(time_zone)
      .formatToParts(seconds * 1000)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const date = new Date(0);
  // Date.UTC(99, …) means 1999.
  date.setUTCFullYear(part('year'), part('month') - 1, part('day'));
  date.setUTCHours(part('hour'), part('minute'), part('second'));
  return date.getTime() / 1000;
}

/**
 * The reverse of `wallClock`: local time → Unix seconds. When summer time ends, one hour occurs twice: the second is meant, as
 * PostgreSQL reads it. When it begins, one hour is missing: such a time is read with the offset before the change.
 */
export function momentOfWallClock(wall: number, time_zone: string): number {
  const offsets = [wall + 86_400, wall - 86_400].map((near) => wallClock(near, time_zone) - near);
  const [later = 0, earlier = 0] = offsets;
  for (const offset of [later, earlier]) {
    if (wallClock(wall - offset, time_zone) === wall) return wall - offset;
  }
  return wall - earlier;
}
