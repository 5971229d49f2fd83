import { ArchiveFault } from './archive-fault.ts'
import type { Archive } from './open-archive.ts'

/**
 * Checks the archive at the start of a process. A database that is away comes back, and is only
 * reported; one with an older schema waits for a command.
 *
 * @throws ArchiveFault
 */
export async function checkAtStart(
  archive: Pick<Archive, 'check'>,
  onFault: (error: unknown, what: string) => void,
): Promise<void> {
  await archive.check().catch((error: unknown) => {
    if (error instanceof ArchiveFault) throw error
    onFault(error, 'PostgreSQL does not answer yet')
  })
}
