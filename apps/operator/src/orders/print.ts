/** A moment (ms since 1970), in ISO 8601 and UTC. */
export const momentOf = (ms: number): string => new Date(ms).toISOString()

/** A duration (ms) in a readable unit. */
export function ageOf(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  return ms < 7_200_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`
}

/**
 * A caller's text, safe for a terminal: characters that are invisible or that a terminal obeys
 * (controls, marks of direction, separators of lines) are escaped as in JSON. Only `visibleLines`
 * keeps line breaks.
 */
export const visible = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
export const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n')

/** A table of rows under their heads; empty if there are no rows. */
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
