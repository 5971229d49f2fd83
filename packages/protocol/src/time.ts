const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/**
 * Date, time of day and offset; then perhaps a time zone or a calendar in brackets (RFC 9557).
 */
const moment = new RegExp(
  String.raw`^(?<date>[+\dW-]+)[Tt ](?<clock>[\d:.,]+) ?` +
    String.raw`(?:[Zz]|(?<sign>[+-])(?<offset>[\d:]+))(?:\[[^[\]]+\])*$`,
)

/**
 * A calendar date, ordinal date or week date, with hyphens or without; the year perhaps with a
 * sign.
 */
const dates = [
  /^(?:\+(?:00)?)?(?<year>\d{4})(?<hyphen>-?)(?<month>\d\d)\k<hyphen>(?<day>\d\d)$/,
  /^(?<year>\d{4})-?(?<dayOfYear>\d{3})$/,
  /^(?<year>\d{4})(?<hyphen>-?)W(?<week>\d\d)\k<hyphen>(?<weekday>[1-7])$/,
]

/** Hours, minutes and seconds, of which the last may have a fraction. */
const clockForm =
  /^(?<hours>\d\d)(?::?(?<minutes>\d\d)(?::?(?<seconds>\d\d))?)?(?:[.,](?<fraction>\d{1,20}))?$/

/**
 * Parses a Request-Time: ISO 8601 with an offset or `Z`, in any form that a language prints, or
 * seconds, milliseconds, microseconds or nanoseconds since 1970 as digits. Undefined for anything
 * else, such as a date that does not exist.
 */
export function parseRequestTime(value: string): Date | undefined {
  if (/^\d{12,14}$/.test(value)) return new Date(Number(value))
  if (/^\d{16}(\d{3})?$/.test(value)) return new Date(Number(value.slice(0, 13)))
  if (/^\d{9,11}(\.\d{1,9})?$/.test(value)) return new Date(Math.floor(Number(value) * SECOND_MS))
  const { date = '', clock = '', sign, offset = '00' } = moment.exec(value)?.groups ?? {}
  const day = dayAt(date)
  const time = clockMs(clock, 24)
  const ahead = clockMs(offset, 18) // The limit of Java's ZoneOffset.
  if (day === undefined || time === undefined || ahead === undefined) return undefined
  return new Date(day + time - (sign === '-' ? -ahead : ahead))
}

/** The beginning of a day in UTC, in ms since 1970. */
function dayAt(text: string): number | undefined {
  const found = dates.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined)
  if (found === undefined) return undefined
  const { year, month, day, dayOfYear, week, weekday } = found
  if (month !== undefined) {
    const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
    return at.getUTCMonth() + 1 === Number(month) && Number(day) > 0 ? at.getTime() : undefined
  }
  if (dayOfYear !== undefined) {
    const at = new Date(Date.UTC(Number(year), 0, Number(dayOfYear)))
    return at.getUTCFullYear() === Number(year) ? at.getTime() : undefined
  }
  // It is in the first week, which begins on a Monday.
  const fourth = new Date(Date.UTC(Number(year), 0, 4))
  const days = (Number(week) - 1) * 7 + Number(weekday) - (fourth.getUTCDay() || 7)
  return Number(week) >= 1 && Number(week) <= 53 ? fourth.getTime() + days * DAY_MS : undefined
}

/** A time of day or an offset in ms, up to `hoursMax` hours. */
function clockMs(text: string, hoursMax: number): number | undefined {
  const found = clockForm.exec(text)?.groups
  if (found === undefined) return undefined
  const { hours, minutes, seconds, fraction = '0' } = found
  // A leap second is 60.
  if (Number(minutes ?? 0) > 59 || Number(seconds ?? 0) > 60) return undefined
  const finest = seconds !== undefined ? SECOND_MS : minutes !== undefined ? MINUTE_MS : HOUR_MS
  const whole =
    Number(hours) * HOUR_MS + Number(minutes ?? 0) * MINUTE_MS + Number(seconds ?? 0) * SECOND_MS
  const ms = whole + Math.floor(Number(`0.${fraction}`) * finest)
  return ms <= hoursMax * HOUR_MS ? ms : undefined
}

/** A moment (ms since 1970) as we write it: ISO 8601 in UTC. */
export const formatTime = (ms: number): string => new Date(ms).toISOString()
