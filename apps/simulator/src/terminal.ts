import { stripVTControlCharacters, styleText } from 'node:util'

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** Where a command writes. Results go to `print`, everything else (progress, complaints) to `note`. */
export type Terminal = {
  /** Writes a line to standard output. */
  print(line?: string): void
  /** Writes a line to standard error, so that piped results stay clean. */
  note(line: string): void
  /** Shows how far something is, in place, on a terminal; does nothing when piped. An empty line removes it. */
  progress(line: string): void
  /** The text in a colour, or as it is where colours are unwanted. */
  paint(colour: Colour, text: string): string
  /** Columns of the terminal; unlimited when piped. */
  width: number
}

/** The part of a stream a terminal needs: a literal with `write` is enough in tests. */
export type Output = {
  write(text: string): unknown
  isTTY?: boolean | undefined
  columns?: number | undefined
}

/**
 * Opens the terminal of this process, or one on other streams. Colours and progress are for terminals only, and
 * NO_COLOR (https://no-color.org) or FORCE_COLOR has the last word on colours.
 */
export function openTerminal({
  out,
  err,
  env = {},
}: {
  out: Output
  err: Output
  env?: Record<string, string | undefined>
}): Terminal {
  const coloured = wantsColour(out, env)
  return {
    print: (line = '') => void out.write(`${line}\n`),
    note: (line) => void err.write(`${line}\n`),
    progress: (line) => {
      if (err.isTTY) err.write(`\r\x1b[2K${line}`)
    },
    paint: (colour, text) => (coloured ? styleText(colour, text, { validateStream: false }) : text),
    width: (out.isTTY && out.columns) || Number.POSITIVE_INFINITY,
  }
}

function wantsColour(out: Output, env: Record<string, string | undefined>): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return out.isTTY === true && env.TERM !== 'dumb'
}

export type Column = { title: string; align?: 'left' | 'right' }

/** Lines of a table with a heading. Cells may be painted; a cell's own line breaks are made spaces. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): string[] {
  const cells = rows.map((row) => columns.map((_, at) => (row[at] ?? '').replaceAll(/\s*\n\s*/g, ' ')))
  const widths = columns.map(({ title }, at) =>
    Math.max(...[title, ...cells.map((row) => row[at] ?? '')].map(shown)),
  )
  const line = (row: readonly string[]) =>
    row.map((cell, at) => fill(cell, widths[at] ?? 0, columns[at]?.align)).join('  ')
  return [
    terminal.paint('bold', line(columns.map(({ title }) => title)).trimEnd()),
    terminal.paint('dim', widths.map((width) => '─'.repeat(width)).join('  ')),
    ...cells.map((row) => line(row).trimEnd()),
  ]
}

/** How many columns a text takes once its colours are gone. */
function shown(text: string): number {
  return stripVTControlCharacters(text).length
}

function fill(text: string, width: number, align: Column['align'] = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - shown(text)))
  return align === 'right' ? space + text : text + space
}
