/** A sample is a timer of this length (ms). */
const SAMPLE_MS = 100

/** The mean is that of so many samples, a second: one pause alone is no overload. */
const SAMPLES_MAX = 10

/** Fewer samples count as so many: the first orders after an idle time are slow by themselves. */
const SAMPLES_MIN = 5

/** Samples older than this (ms) say nothing about now. */
const SAMPLE_MS_MAX = 1_000

/**
 * How late the event loop is. It is sampled only while somebody asks: a timer that always runs
 * wakes an idle process ten times a second.
 */
export class LoopDelay {
  readonly #samples: number[] = []
  #sampledAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** The mean delay (ms) in the last second in which somebody asked. */
  ask(): number {
    if (this.#timer === undefined) this.#sample()
    const sum = this.#samples.reduce((all, delay) => all + delay, 0)
    return sum / Math.max(this.#samples.length, SAMPLES_MIN)
  }

  #sample(): void {
    const startedAt = performance.now()
    if (startedAt - this.#sampledAt > SAMPLE_MS_MAX) this.#samples.length = 0
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#sampledAt = performance.now()
      this.#samples.push(this.#sampledAt - startedAt - SAMPLE_MS)
      if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
    }, SAMPLE_MS).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
