import type { Redis } from 'ioredis'

type Done = (error: unknown, info?: unknown) => void

/**
 * Makes connections usable for a user who may not send INFO. ioredis sends it to learn whether the
 * server is still loading its file, and prints a warning for each connection if it is forbidden.
 * The report on Redis says that once.
 */
export function allowNoInfo(node: Redis): void {
  const info = node.info.bind(node) as (...args: unknown[]) => Promise<string>
  Object.assign(node, {
    info: (...args: unknown[]) => {
      const [done] = args
      if (!isDone(done)) return info(...args)
      return info((error: unknown, text: unknown) =>
        error instanceof Error && error.message.startsWith('NOPERM')
          ? done(null, '')
          : done(error, text),
      )
    },
  })
}

const isDone = (argument: unknown): argument is Done => typeof argument === 'function'
