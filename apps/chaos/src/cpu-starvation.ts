import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { CALLERS, History } from './history/history.ts'

/** How often it is looked, in ms. */
const LOOK_MS = 100
const TICK_MS = 10

/** Shorter waits (ms) are the machine's daily bread. */
const WORTH_NOTING_MS = 10

/**
 * Notes, until `signal` aborts, when the machine gave no processor to one of `members` (the kernel counts for how long each
 * thread was ready to run and did not) or when the callers' own event loop came late: answers seem late by as much.
 */
export async function watchCpuStarvation(
  history: History,
  members: () => { name: string; pid: number | undefined }[],
  signal: AbortSignal,
): Promise<void> {
  const stopTicking = noteLateTicks(history)
  const waitedBefore = new Map<string, number>()
  let from = History.now()
  while (!signal.aborted) {
    await wait(LOOK_MS, undefined, { signal }).catch(() => {})
    const to = History.now()
    for (const { name, pid } of members()) {
      if (pid === undefined) continue
      const ms = await waitedMs(pid, waitedBefore)
      if (ms >= WORTH_NOTING_MS) history.paused({ who: name, why: 'STARVED', from, to, ms })
    }
    from = to
  }
  stopTicking()
}

/** For how long (ms) the main thread of a process has waited for a processor since the last look, and its slowest helper. */
async function waitedMs(pid: number, before: Map<string, number>): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  let main = 0
  let helper = 0
  for (const thread of threads) {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '')
    const waited = Number(text.split(' ')[1] ?? 0) / 1e6
    const more = waited - (before.get(thread) ?? waited)
    before.set(thread, waited)
    if (thread === String(pid)) main = more
    else helper = Math.max(helper, more)
  }
  return main + helper
}

function noteLateTicks(history: History): () => void {
  let expected = History.now() + TICK_MS
  const ticking = setInterval(() => {
    const now = History.now()
    const ms = now - expected
    if (ms >= WORTH_NOTING_MS)
      history.paused({ who: CALLERS, why: 'STARVED', from: expected, to: now, ms })
    expected = now + TICK_MS
  }, TICK_MS)
  return () => clearInterval(ticking)
}
