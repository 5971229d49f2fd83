import { stripVTControlCharacters, styleText } from 'node:util'

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim'

/** Where a command writes: results with `print`, everything else with `note` or `progress`. */
export type Terminal = {
  /** Writes a line to standard output. */
  print(line?: string): void
  /** Writes a line to standard error, so that piped results stay clean. */
  note(line: string): void
  /** Shows progress in place on a terminal; does nothing when piped. An empty line removes it. */
  progress(line: string): void
  /** The text in a colour, or unchanged where colours are unwanted. */
  paint(colour: Colour, text: string): string
  /** Columns of the terminal; unlimited when piped. */
  width: number
}

/** The part of a stream that a terminal needs: a literal with `write` is enough in tests. */
export type Output = {
  write(text: string): unknown
  isTTY?: boolean | undefined
  columns?: number | undefined
}

/**
 * Opens a terminal on two streams. Colours and progress are shown on a TTY only; NO_COLOR
 * (https://no-color.org) and FORCE_COLOR take precedence for colours.
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

const GAP = '  '

/** No column is narrowed below this to fit. */
const COLUMN_MIN = 8

/**
 * Lines of a table with a heading. Cells may be painted; line breaks in a cell become spaces. On a
 * terminal that is too narrow the widest columns are narrowed, and text that is cut ends in `…`,
 * without its colour.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): string[] {
  const cells = rows.map((row) =>
    columns.map((_, at) => (row[at] ?? '').replaceAll(/\s*\n\s*/g, ' ')),
  )
  const wanted = columns.map(({ title }, at) =>
    Math.max(...[title, ...cells.map((row) => row[at] ?? '')].map(shown)),
  )
  const widths = fitted(wanted, terminal.width - GAP.length * (columns.length - 1))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => fill(cut(cell, widths[at] ?? 0), widths[at] ?? 0, columns[at]?.align))
      .join(GAP)
  return [
    terminal.paint('bold', line(columns.map(({ title }) => title)).trimEnd()),
    terminal.paint('dim', widths.map((width) => '─'.repeat(width)).join(GAP)),
    ...cells.map((row) => line(row).trimEnd()),
  ]
}

/** Widths that add up to at most `most`, as far as COLUMN_MIN permits. */
function fitted(wanted: readonly number[], most: number): number[] {
  const widths = [...wanted]
  for (let over = widths.reduce((sum, width) => sum + width, -most); over > 0; over -= 1) {
    const widest = Math.max(...widths)
    if (widest <= COLUMN_MIN) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}

function cut(text: string, width: number): string {
  return shown(text) <= width
    ? text
    : `${stripVTControlCharacters(text).slice(0, Math.max(0, width - 1))}…`
}

/** How many columns a text takes without its colours. */
function shown(text: string): number {
  return stripVTControlCharacters(text).length
}

function fill(text: string, width: number, align: Column['align'] = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - shown(text)))
  return align === 'right' ? space + text : text + space
}
