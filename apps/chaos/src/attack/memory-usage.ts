import { readFile } from 'node:fs/promises'

/** What a process has in memory, in MiB. */
export type MemoryUsage = {
  name: string
  /** At most, with garbage that is not collected yet. */
  most: number
  /** Without garbage, when it had warmed up; undefined if the run ended before. */
  warm: number | undefined
  /** Without garbage, at the end. */
  end: number
  isFlat: boolean
}

/** A process whose memory is looked at. */
export type Watched = { name: string; pid: number; collectGarbage: () => Promise<void> }

/** How often memory is read, in ms. */
const READ_MS = 1_000
/**
 * How much more a process may keep at the end than when it had warmed up: its allocator has gaps in
 * what it holds.
 */
const GROWTH_MAX = 1.25

/** What a process has in memory, in MiB; undefined where nobody says it. */
export async function memoryOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? []
  return kib === undefined ? undefined : Number(kib) / 1024
}

/** Looks at what processes have in memory, and whether one keeps ever more of it. */
export class MemoryWatch {
  readonly #processes: readonly Watched[]
  readonly #most = new Map<number, number>()
  readonly #warm = new Map<number, number>()
  readonly #timer: NodeJS.Timeout

  constructor(processes: readonly Watched[]) {
    this.#processes = processes
    this.#timer = setInterval(() => void this.#readAll(), READ_MS)
  }

  /** The processes have warmed up: from now on what they keep may grow no further. */
  async warmedUp(): Promise<void> {
    for (const process of this.#processes) this.#warm.set(process.pid, await keptBy(process))
  }

  async report(): Promise<MemoryUsage[]> {
    await this.#readAll()
    return Promise.all(
      this.#processes.map(async (process) => {
        const [most, warm] = [this.#most.get(process.pid) ?? 0, this.#warm.get(process.pid)]
        const end = await keptBy(process)
        const isFlat = warm === undefined || end <= warm * GROWTH_MAX
        return { name: process.name, most, warm, end, isFlat }
      }),
    )
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #readAll(): Promise<void> {
    for (const { pid } of this.#processes) {
      const mib = Math.round((await memoryOf(pid)) ?? 0)
      this.#most.set(pid, Math.max(mib, this.#most.get(pid) ?? 0))
    }
  }
}

/** What a process has without its garbage. Of one that has ended: nothing. */
async function keptBy({ pid, collectGarbage }: Watched): Promise<number> {
  await collectGarbage().catch(() => {})
  return Math.round((await memoryOf(pid)) ?? 0)
}
