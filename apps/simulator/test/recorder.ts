import { openTerminal, type Terminal } from '../src/cli/terminal.ts'

/** A terminal that keeps what is written, as a pipe would. */
export function recorder(): { terminal: Terminal; out: () => string; err: () => string } {
  const out: string[] = []
  const err: string[] = []
  const terminal = openTerminal({
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
  })
  return { terminal, out: () => out.join(''), err: () => err.join('') }
}
