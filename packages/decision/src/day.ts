const MINUTE_MS = 60_000

/**
 * Makes the calendar of a time zone: it returns the day there at a time in ms since 1970, as
 * yyyymmdd.
 *
 * The day of the last minute is cached, which makes it cheap for a stream of orders. A day never
 * changes within a minute of UTC: since 1972 all offsets, and all changes of them, are at whole
 * minutes.
 *
 * @throws RangeError when there is no such time zone
 */
export function calendarOf(timeZone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  })
  const dayAt = (ms: number): string => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]))
    return `${parts.get('year')}${parts.get('month')}${parts.get('day')}`
  }
  let lastMinute = Number.NaN
  let lastDay = ''
  return (ms) => {
    const minute = Math.floor(ms / MINUTE_MS)
    if (minute !== lastMinute) {
      lastDay = dayAt(minute * MINUTE_MS)
      lastMinute = minute
    }
    return lastDay
  }
}
