import type { Screen } from '../command-line.ts'
import type { ImportProgress } from './import-file.ts'

/** How often (ms) the bar is drawn on a terminal, and a line is printed elsewhere. */
const DRAW_MS = 100
const PRINT_MS = 5_000

const BAR_CHARACTERS = 30

/** Shows the progress of an import: a bar on a terminal, otherwise a line now and then. */
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
    const status = statusOf(progress, now - this.#startedAt)
    if (!this.#screen.isTTY) {
      this.#screen.write(`${status}\n`)
      return
    }
    this.#screen.write(`\r\x1b[2K${barOf(progress)} ${status}`)
    this.#drawn = true
  }

  /** Prints a line in place of the bar, which is drawn again below it. */
  printAbove(line: string): void {
    this.clear()
    this.#screen.write(`${line}\n`)
  }

  /** Removes the bar. */
  clear(): void {
    if (this.#drawn) this.#screen.write('\r\x1b[2K')
    this.#drawn = false
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt
  }
}

/** The rate in records a second, as text. */
export const rateOf = ({ merchants, codes }: ImportProgress, elapsedMs: number): string =>
  `${perSecond(merchants + codes, elapsedMs).toLocaleString('en')} records/s`

const perSecond = (records: number, elapsedMs: number): number =>
  Math.round((records / Math.max(elapsedMs, 1)) * 1000)

const shareOf = ({ bytes, bytesTotal }: ImportProgress): number =>
  bytesTotal === 0 ? 1 : Math.min(1, bytes / bytesTotal)

function statusOf(progress: ImportProgress, elapsedMs: number): string {
  const records = (progress.merchants + progress.codes).toLocaleString('en')
  const bad = progress.bad === 0 ? '' : `, ${progress.bad.toLocaleString('en')} bad`
  const percent = Math.floor(shareOf(progress) * 100)
  return `${percent} %  ${records} records${bad}  ${rateOf(progress, elapsedMs)}`
}

function barOf(progress: ImportProgress): string {
  const full = Math.floor(shareOf(progress) * BAR_CHARACTERS)
  return `[${'█'.repeat(full)}${'░'.repeat(BAR_CHARACTERS - full)}]`
}
