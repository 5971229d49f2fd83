/** A moment (ms since 1970): ISO 8601 in UTC. */
export const momentOf = (ms: number): string => new Date(ms).toISOString()

/** A span of time (ms) in the unit that a person would say it in. */
export function ageOf(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms < 7_200_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`
}

/**
 * What a caller wrote, as a terminal may be shown it: what nobody sees and a terminal may obey (controls, marks of direction,
 * separators of lines) is written out, in JSON's way. Line breaks are kept by `visibleLines` alone.
 */
export const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
export const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** Rows under their heads, in columns; nothing where there are none. */
export function tableOf(heads: string[], rows: string[][]): string {
  if (rows.length === 0) return ''
  const lines = [heads, ...rows.map((row) => row.map(visible))]
  const widths = heads.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines
    .map(
      (line) =>
        `${line
          .map((word, column) => word.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
