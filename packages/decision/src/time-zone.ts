/**
 * The zones that people mean by names that are not in the IANA database, or that Node reads as
 * another zone: `date` prints CST in Shanghai, and Node reads it as Chicago.
 */
const meant: Readonly<Record<string, string>> = {
  CST: 'Asia/Shanghai',
  BEIJING: 'Asia/Shanghai',
  PST: 'America/Los_Angeles',
  EST: 'America/New_York',
  IST: 'Asia/Kolkata',
  BST: 'Europe/London',
  CET: 'Europe/Paris',
  MYT: 'Asia/Kuala_Lumpur',
  SGT: 'Asia/Singapore',
  HKT: 'Asia/Hong_Kong',
  KST: 'Asia/Seoul',
  WIB: 'Asia/Jakarta',
  ICT: 'Asia/Bangkok',
  PHT: 'Asia/Manila',
  Z: 'UTC',
  UTC: 'UTC',
  GMT: 'UTC',
  '+8': 'Asia/Shanghai',
}

/** A name that differs from every zone in more letters than this is not a typing error. */
const EDITS_MAX = 3

/** Whether a name is unambiguous: `UTC`, or a name of the IANA database with a `/`. */
export function isTimeZone(name: string): boolean {
  return name === 'UTC' || (name.includes('/') && zoneReadAs(name) !== undefined)
}

/** The most likely meaning of a name that `isTimeZone` refuses. */
export function timeZoneLike(name: string): string {
  const word = name.trim().toUpperCase().replaceAll(' ', '_')
  const last = word.split('/').at(-1) ?? ''
  const [, sign, hours] = /^(?:UTC|GMT)?([+-])0?(\d{1,2})(?::?00)?$/.exec(word) ?? []
  const known = meant[word] ?? meant[last] ?? meant[`${sign}${hours}`]
  if (known !== undefined) return known
  // These names count westwards, as POSIX does: Etc/GMT-9 is 9 hours ahead of UTC.
  if (sign !== undefined) return `Etc/GMT${sign === '+' ? '-' : '+'}${hours}`
  const zones = Intl.supportedValuesOf('timeZone')
  const ofCity = zones.find((zone) => zone.toUpperCase().endsWith(`/${last}`))
  const read = zoneReadAs(name)
  return ofCity ?? (read?.includes('/') ? read : nearest(word, zones))
}

function zoneReadAs(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

function nearest(word: string, zones: readonly string[]): string {
  const found = zones
    .map((zone) => ({ zone, slips: editDistance(word, zone.toUpperCase()) }))
    .reduce((best, one) => (one.slips < best.slips ? one : best))
  return found.slips <= EDITS_MAX ? found.zone : 'Asia/Shanghai'
}

/** The Levenshtein distance of two words. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (const [j, otherLetter] of [...other].entries()) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]]
      next.push(Math.min(left + 1, above + 1, diagonal + Number(letter !== otherLetter)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
