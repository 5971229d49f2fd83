/**
 * Reads a Request-Time: ISO 8601 with an offset or `Z`, with or without a fraction, or epoch milliseconds as digits.
 * Undefined for anything else, a date that is not in the calendar included.
 */
export function parseRequestTime(value: string): Date | undefined {
  if (/^\d{12,14}$/.test(value)) return new Date(Number(value))
  const parts =
    /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-](\d\d):?(\d\d))$/.exec(value)
  if (parts === null) return undefined
  const [
    year = 0,
    month = 0,
    day = 0,
    hour = 0,
    minute = 0,
    second = 0,
    offsetHour = 0,
    offsetMinute = 0,
  ] = parts.slice(1).map((part) => Number(part ?? 0))
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const inCalendar = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth
  const onClock =
    hour <= 23 && minute <= 59 && second <= 60 && offsetHour <= 14 && offsetMinute <= 59
  if (!inCalendar || !onClock) return undefined
  const sign = value.lastIndexOf('-') > 9 ? -1 : 1
  return new Date(
    Date.UTC(year, month - 1, day, hour, minute, second) -
      sign * (offsetHour * 60 + offsetMinute) * 60_000,
  )
}

/** A moment (ms since 1970) as we write it: ISO 8601 in UTC. */
export const formatTime = (ms: number): string => new Date(ms).toISOString()
