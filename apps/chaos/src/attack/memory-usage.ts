import { readFile } from 'node:fs/promises'

/** What a process held in memory over a run, in MiB. */
export type MemoryUsage = { name: string; firstMinute: number; end: number; isFlat: boolean }

/** How often it is read, in ms. */
const READ_MS = 1_000
const WARM_UP_MS = 60_000
/** What a garbage collector may leave at the end over the most of the first minute. */
const GROWTH_MAX = 1.25

/** What a process holds in memory, in MiB; undefined where nobody says it. */
export async function memoryOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return kib === undefined ? undefined : Number(kib) / 1024
}

/** Reads what processes hold in memory, every second. */
export class MemoryWatch {
  readonly #startedAt = performance.now()
  readonly #read: { name: string; pid: number; samples: { atMs: number; mib: number }[] }[]
  readonly #timer: NodeJS.Timeout

  constructor(processes: readonly { name: string; pid: number }[]) {
    this.#read = processes.map(({ name, pid }) => ({ name, pid, samples: [] }))
    this.#timer = setInterval(() => void this.#readAll(), READ_MS)
  }

  async #readAll(): Promise<void> {
    const atMs = performance.now() - this.#startedAt
    for (const { pid, samples } of this.#read) {
      const mib = await memoryOf(pid)
      if (mib !== undefined) samples.push({ atMs, mib })
    }
  }

  /** What they held at most in the first minute, and in the middle of the last quarter. Shorter runs prove nothing. */
  close(): MemoryUsage[] {
    clearInterval(this.#timer)
    const ranMs = performance.now() - this.#startedAt
    return this.#read.map(({ name, samples }) => {
      const early = samples.filter(({ atMs }) => atMs <= WARM_UP_MS).map(({ mib }) => mib)
      const late = samples.filter(({ atMs }) => atMs > ranMs * 0.75).map(({ mib }) => mib)
      const firstMinute = Math.round(Math.max(0, ...early))
      const end = Math.round(late.sort((a, b) => a - b)[Math.floor(late.length / 2)] ?? 0)
      const isFlat = ranMs < 2 * WARM_UP_MS || end <= firstMinute * GROWTH_MAX
      return { name, firstMinute, end, isFlat }
    })
  }
}
