import { once } from 'node:events'
import { freePort } from '@placeorder/local-services/redis'
import { z } from 'zod'

/**
 * Has a process collect its garbage. Node puts that off while there is memory: what it holds says
 * little of what it keeps.
 */
export type GarbageCollector = {
  /** What the process is to be started with. */
  env: Record<string, string>
  collect: () => Promise<void>
}

/** How long a process may take to collect its garbage (ms), on a busy machine. */
const COLLECT_MS_MAX = 30_000

const Targets = z.tuple([z.object({ webSocketDebuggerUrl: z.string() })])

/**
 * Asks for it by Node's inspector, at a port of its own; the process does not write on stderr where
 * that is.
 */
export async function openGarbageCollector(): Promise<GarbageCollector> {
  const port = await freePort()
  return {
    env: { NODE_OPTIONS: `--inspect=127.0.0.1:${port} --inspect-publish-uid=http` },
    collect: async () => {
      const signal = AbortSignal.timeout(COLLECT_MS_MAX)
      const listed = await fetch(`http://127.0.0.1:${port}/json/list`, { signal })
      const [{ webSocketDebuggerUrl }] = Targets.parse(await listed.json())
      const socket = new WebSocket(webSocketDebuggerUrl)
      try {
        await once(socket, 'open', { signal })
        socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }))
        await once(socket, 'message', { signal })
      } finally {
        socket.close()
      }
    },
  }
}
