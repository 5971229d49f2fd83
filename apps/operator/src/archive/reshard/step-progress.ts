import type { Screen } from '../../command-line.ts'

/** How often (ms) a line is drawn anew on a terminal, and one is printed elsewhere. */
const DRAW_MS = 200
const PRINT_MS = 5_000

/** Shows how far a step is: in one line on a terminal, otherwise in a line now and then. */
export class StepProgress {
  readonly #screen: Screen
  readonly #name: string
  #shownAt = performance.now()

  constructor(screen: Screen, name: string) {
    this.#screen = screen
    this.#name = name.padEnd(8)
  }

  show(done: string): void {
    const now = performance.now()
    if (now - this.#shownAt < (this.#screen.isTTY ? DRAW_MS : PRINT_MS)) return
    this.#shownAt = now
    const line = `${this.#name} ${done} so far`
    this.#screen.write(this.#screen.isTTY ? `\r\x1b[2K${line}` : `${line}\n`)
  }

  end(done: string): void {
    this.#screen.write(`${this.#screen.isTTY ? '\r\x1b[2K' : ''}${this.#name} ${done}\n`)
  }
}
