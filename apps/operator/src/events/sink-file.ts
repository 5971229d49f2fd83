import { readFile } from 'node:fs/promises'
import { ConfigFault, decodeText } from '@placeorder/config'
import { parseSinks, type SinkEntry } from '@placeorder/events'

/** What is in EVENTS_FILE on this machine; the sinks are undefined where there is no such file. */
export type SinkFile = { path: string; sinks: SinkEntry[] | undefined }

/** @throws ConfigFault naming every fault */
export async function readSinkFile(path: string): Promise<SinkFile> {
  try {
    const text = decodeText(await readFile(path), path)
    return { path, sinks: await parseSinks(text, path) }
  } catch (error) {
    if (error instanceof ConfigFault) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { path, sinks: undefined }
    throw new ConfigFault([`${path}: cannot be read (${code}): EVENTS_FILE names the file`])
  }
}
