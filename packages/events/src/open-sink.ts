import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigFault, configFaults, type ReadFile } from '@placeorder/config'
import { openModule } from './sinks/module.ts'
import { openRedisStream, type StreamWriter } from './sinks/redis-stream.ts'
import type { Sink } from './sinks/sent.ts'
import { openWebhook } from './sinks/webhook.ts'
import { faultsIn, type SinkEntry } from './sinks-file.ts'

type OpenSinkDeps = {
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
 * @throws ConfigFault naming why its URL, its secrets or its module cannot be used
 */
export async function openSink(
  entry: SinkEntry,
  { path, openStream, read = readFile }: OpenSinkDeps,
): Promise<Sink> {
  const faults = faultsIn(entry)
  if (faults.length > 0)
    throw new ConfigFault(faults.map((fault) => `${path}: ${entry.name}: ${fault}`))
  if (entry.type === 'webhook') return openWebhook(entry)
  if (entry.type === 'redis-stream') return openRedisStream(openStream(entry))
  try {
    return await openModule(resolve(dirname(path), entry.module), entry.batch, read)
  } catch (cause) {
    const reasons = configFaults(cause).join('; ')
    throw new ConfigFault([`${path}: ${entry.name}: the module cannot be used: ${reasons}`])
  }
}

/** Why a sink cannot be opened; undefined if it can. Nothing is connected. */
export async function sinkFault(
  entry: SinkEntry,
  deps: Omit<OpenSinkDeps, 'openStream'>,
): Promise<string | undefined> {
  const stream = { append: async () => {}, close: async () => {} }
  try {
    const sink = await openSink(entry, { ...deps, openStream: () => stream })
    void sink.close().catch(() => {}) // How a module closes is no fault.
    return undefined
  } catch (error) {
    return configFaults(error).join('; ')
  }
}
