import type { Redis } from 'ioredis'

type Done = (error: unknown, info?: unknown) => void

/**
 * Lets a connection be ready for a user who may not ask INFO. ioredis asks it, since a server may still read its file, and prints a
 * warning of its own at each connection where it is forbidden; that is said once, by the report on Redis.
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
