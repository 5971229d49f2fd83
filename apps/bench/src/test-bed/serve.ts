import { z } from 'zod'

const Asked = z.object({ id: z.number(), what: z.string(), argument: z.unknown() })

/** Serves the process that started this one: each of `verbs` may be asked for by its name. Ends when that one ends. */
export function serve(verbs: Record<string, (argument: unknown) => unknown>): void {
  process.on('message', async (message) => {
    const { id, what, argument } = Asked.parse(message)
    try {
      const verb = verbs[what]
      if (verb === undefined) throw new Error(`nothing is known of ${what}`)
      process.send?.({ id, result: await verb(argument) })
    } catch (error) {
      process.send?.({
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    }
  })
  process.on('disconnect', () => process.exit())
  process.on('SIGTERM', () => process.exit())
  process.send?.({ id: 0, result: 'ready' })
}
