import { openTerminal, type Terminal } from '../src/cli/terminal.ts'

/** A terminal that records what is written, without colours like a pipe. */
export function recorder(): { terminal: Terminal; out: () => string; err: () => string } {
  const out: string[] = []
  const err: string[] = []
  const terminal = openTerminal({
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
  })
  return { terminal, out: () => out.join(''), err: () => err.join('') }
}
