import type { Screen } from '../command-line.ts'
import type { ImportProgress } from './import-file.ts'

/** A terminal is drawn on this often (ms), and a pipe or file is told this often. */
const DRAW_MS = 100
const PRINT_MS = 5_000

const BAR_CHARACTERS = 30

/** Shows how far an import is: a bar in place on a terminal, a plain line now and then elsewhere. */
export class ProgressLine {
  readonly #screen: Screen
  readonly #startedAt = performance.now()
  #shownAt = performance.now()
  #drawn = false

  constructor(screen: Screen) {
    this.#screen = screen
  }

  show(progress: ImportProgress): void {
    const now = performance.now()
    if (now - this.#shownAt < (this.#screen.isTTY ? DRAW_MS : PRINT_MS)) return
    this.#shownAt = now
    const words = wordsOf(progress, now - this.#startedAt)
    if (!this.#screen.isTTY) {
      this.#screen.write(`${words}\n`)
      return
    }
    this.#screen.write(`\r\x1b[2K${barOf(progress)} ${words}`)
    this.#drawn = true
  }

  /** Writes a line where the bar is; the bar is drawn anew below it. */
  printAbove(line: string): void {
    this.clear()
    this.#screen.write(`${line}\n`)
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#drawn) this.#screen.write('\r\x1b[2K')
    this.#drawn = false
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt
  }
}

/** How many records a second, in words. */
export const rateOf = ({ merchants, codes }: ImportProgress, elapsedMs: number): string =>
  `${Math.round(((merchants + codes) / Math.max(elapsedMs, 1)) * 1000).toLocaleString('en')} records/s`

const shareOf = ({ bytes, bytesTotal }: ImportProgress): number =>
  bytesTotal === 0 ? 1 : Math.min(1, bytes / bytesTotal)

function wordsOf(progress: ImportProgress, elapsedMs: number): string {
  const records = (progress.merchants + progress.codes).toLocaleString('en')
  const bad = progress.bad === 0 ? '' : `, ${progress.bad.toLocaleString('en')} bad`
  return `${Math.floor(shareOf(progress) * 100)} %  ${records} records${bad}  ${rateOf(progress, elapsedMs)}`
}

function barOf(progress: ImportProgress): string {
  const full = Math.floor(shareOf(progress) * BAR_CHARACTERS)
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_CHARACTERS - full)}]`
}
