import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { CALLERS, History } from './history/history.ts'

/** How often the kernel's counters are read (ms). */
const SAMPLE_MS = 100
const TICK_MS = 10

/** Shorter waits (ms) are normal. */
const RECORDED_MS_MIN = 10

/**
 * Records, until `signal` aborts, when one of `processes` did not get a processor (the kernel
 * counts for how long each thread was ready to run and did not) or when the callers' own event loop
 * was late: answers seem late by as much.
 */
export async function watchCpuStarvation(
  history: History,
  processes: () => { name: string; pid: number | undefined }[],
  signal: AbortSignal,
): Promise<void> {
  const stopTicking = recordLateTicks(history)
  const waitedBefore = new Map<string, number>()
  let from = History.now()
  while (!signal.aborted) {
    await wait(SAMPLE_MS, undefined, { signal }).catch(() => {})
    const to = History.now()
    for (const { name, pid } of processes()) {
      if (pid === undefined) continue
      const ms = await waitedMs(pid, waitedBefore)
      if (ms >= RECORDED_MS_MIN) history.paused({ who: name, why: 'STARVED', from, to, ms })
    }
    from = to
  }
  stopTicking()
}

/**
 * How long (ms) the main thread of a process has waited for a processor since the last sample, plus
 * the longest wait of its other threads.
 */
async function waitedMs(pid: number, before: Map<string, number>): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  let main = 0
  let other = 0
  for (const thread of threads) {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '')
    const waited = Number(text.split(' ')[1] ?? 0) / 1e6
    const more = waited - (before.get(thread) ?? waited)
    before.set(thread, waited)
    if (thread === String(pid)) main = more
    else other = Math.max(other, more)
  }
  return main + other
}

function recordLateTicks(history: History): () => void {
  let expected = History.now() + TICK_MS
  const ticking = setInterval(() => {
    const now = History.now()
    const ms = now - expected
    if (ms >= RECORDED_MS_MIN)
      history.paused({ who: CALLERS, why: 'STARVED', from: expected, to: now, ms })
    expected = now + TICK_MS
  }, TICK_MS)
  return () => clearInterval(ticking)
}
