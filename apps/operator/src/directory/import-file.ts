import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { CodeRecord, MerchantRecord } from '@placeorder/decision'
import type { Directory } from '@placeorder/store'
import type { Entry } from './entry.ts'
import { readDocument } from './read-document.ts'
import { readLines } from './read-lines.ts'

/** The progress of an import. */
export type ImportProgress = {
  bytes: number
  bytesTotal: number
  merchants: number
  codes: number
  bad: number
}

export type ImportDeps = {
  directory: Pick<Directory, 'put'>
  /** Read instead of a file if its name is `-`, as lines: a container may not have the file. */
  input: AsyncIterable<Buffer>
  onProgress: (progress: ImportProgress) => void
  /** Notified of each record that is left out. */
  onBad: (where: string, fault: string) => void
}

/**
 * The largest possible record has some 3 MB: 10,000 stores, and 100 contracts with 200 wallets
 * each.
 */
const RECORD_BYTES_MAX = 8 * 1024 * 1024

const CHUNK_BYTES = 128 * 1024

/**
 * Records in one write: enough to spread the cost of a sync to disk, and few enough not to block
 * Redis.
 */
const BATCH_RECORDS = 500

/** Batches in flight while the file is read on; they bound the memory. */
const BATCHES_IN_FLIGHT = 4

type Batch = { merchants: MerchantRecord[]; codes: CodeRecord[] }

/**
 * Imports the records of a file into the directory; each replaces an earlier version, and an import
 * may be repeated. Bad records are reported and left out. Resolves with what was imported; rejects
 * when the file cannot be read or Redis does not answer.
 */
export async function importFile(path: string, deps: ImportDeps): Promise<ImportProgress> {
  const bytesTotal = path === '-' ? 0 : (await stat(path)).size
  const progress = { bytes: 0, bytesTotal, merchants: 0, codes: 0, bad: 0 }
  const writing = new Set<Promise<void>>()
  let failure: { cause: unknown } | undefined
  const write = (batch: Batch) => {
    const written = deps.directory
      .put(batch.merchants, batch.codes)
      .then(() => {
        progress.merchants += batch.merchants.length
        progress.codes += batch.codes.length
        deps.onProgress(progress)
      })
      .catch((cause: unknown) => {
        failure ??= { cause }
      })
      .finally(() => writing.delete(written))
    writing.add(written)
  }
  const bytes = path === '-' ? deps.input : createReadStream(path, { highWaterMark: CHUNK_BYTES })
  const chunks = counted(bytes, progress)
  const read = path.endsWith('.json') ? readDocument : readLines
  for await (const batch of batches(read(chunks, RECORD_BYTES_MAX), progress, deps.onBad)) {
    write(batch)
    if (writing.size >= BATCHES_IN_FLIGHT) await Promise.race(writing)
    if (failure !== undefined) break
  }
  await Promise.all(writing)
  if (failure !== undefined) throw failure.cause
  return progress
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  progress: ImportProgress,
): AsyncGenerator<Buffer, void> {
  for await (const chunk of chunks) {
    progress.bytes += chunk.length
    yield chunk
  }
}

/** Collects records in batches; of a record that occurs twice, the later one is written later. */
async function* batches(
  entries: AsyncIterable<Entry>,
  progress: ImportProgress,
  onBad: ImportDeps['onBad'],
): AsyncGenerator<Batch, void> {
  let batch: Batch = { merchants: [], codes: [] }
  for await (const entry of entries) {
    if ('merchant' in entry) batch.merchants.push(entry.merchant)
    else if ('code' in entry) batch.codes.push(entry.code)
    else {
      progress.bad += 1
      onBad(entry.where, entry.fault)
    }
    if (batch.merchants.length + batch.codes.length < BATCH_RECORDS) continue
    yield batch
    batch = { merchants: [], codes: [] }
  }
  if (batch.merchants.length + batch.codes.length > 0) yield batch
}
