import { hash } from 'node:crypto'
import { ConfigFault, type ReadFile } from '@placeorder/config'
import { openSink, parseSinks, type Sink, type SinkEntry, sinkFault } from '@placeorder/events'
import { EventStream } from '@placeorder/store'

/** A sink of the file, and how to open it. */
export type ConfiguredSink = {
  entry: SinkEntry
  /** Why it cannot be opened, though the file is in order. */
  fault: string | undefined
  /** Of all that it is: a sink with another digest is opened anew. */
  digest: string
  open: () => Promise<Sink>
}

/**
 * Parses `config/events.json`, and loads the modules it names with `read`. A sink whose URL,
 * secrets or module cannot be used has a fault of its own.
 *
 * @throws ConfigFault naming every fault of the file itself
 */
export async function parseSinkFile(
  text: string,
  path: string,
  read: ReadFile,
  { hasArchive }: { hasArchive: boolean },
): Promise<ConfiguredSink[]> {
  const entries = await parseSinks(text, path)
  const faults = entries.flatMap(({ from, name }) =>
    from === undefined || hasArchive
      ? []
      : [`${path}: ${name}: from: old outcomes are in the archive: set ARCHIVE_URL`],
  )
  if (faults.length > 0) throw new ConfigFault(faults)
  return Promise.all(
    entries.map(async (entry) => {
      const contents: Buffer[] = []
      const deps = {
        path,
        openStream: (stream: { url: string; stream: string; maxLen: number }) =>
          new EventStream(stream),
        read: async (file: string) => {
          const content = await read(file)
          contents.push(content)
          return content
        },
      }
      const fault = await sinkFault(entry, deps)
      const files = contents.map((content) => content.toString('hex'))
      const parts = [JSON.stringify(entry), ...files, ...(fault === undefined ? [] : [fault])]
      const digest = hash('sha256', parts.join('\n'), 'base64url').slice(0, 22)
      return { entry, fault, digest, open: () => openSink(entry, deps) }
    }),
  )
}
