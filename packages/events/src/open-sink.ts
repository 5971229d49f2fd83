import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigFault, configFaults, type ReadFile } from '@placeorder/config'
import { openModule } from './sinks/module.ts'
import { openRedisStream, type StreamWriter } from './sinks/redis-stream.ts'
import type { Sink } from './sinks/sent.ts'
import { openWebhook } from './sinks/webhook.ts'
import type { SinkEntry } from './sinks-file.ts'

export type OpenSinkDeps = {
  /** The file with the sinks: modules are looked up beside it. */
  path: string
  /** Opens a stream of the operator's. */
  openStream: (stream: { url: string; stream: string; maxLen: number }) => StreamWriter
  /** Reads the modules, and has them watched. */
  read?: ReadFile
}

/**
 * Opens a sink. Nothing is connected until something is sent.
 *
 * @throws ConfigFault when its module cannot be loaded
 */
export async function openSink(
  entry: SinkEntry,
  { path, openStream, read = readFile }: OpenSinkDeps,
): Promise<Sink> {
  if (entry.type === 'webhook') return openWebhook(entry)
  if (entry.type === 'redis-stream') return openRedisStream(openStream(entry))
  try {
    return await openModule(resolve(dirname(path), entry.module), entry.batch, read)
  } catch (cause) {
    const reasons = configFaults(cause).join('; ')
    throw new ConfigFault([`${path}: ${entry.name}: the module cannot be used: ${reasons}`])
  }
}
