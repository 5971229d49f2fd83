import { z } from 'zod'

const Command = z.object({ id: z.number(), name: z.string(), argument: z.unknown() })

/** Serves commands by name to the process that started this one, and ends when that one ends. */
export function serve(commands: Record<string, (argument: unknown) => unknown>): void {
  process.on('message', async (message) => {
    const { id, name, argument } = Command.parse(message)
    try {
      const command = commands[name]
      if (command === undefined) throw new Error(`there is no command ${name}`)
      process.send?.({ id, result: await command(argument) })
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
