import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { CodeRecord, MerchantRecord } from '@placeorder/decision'
import type { Directory } from '@placeorder/store'
import type { Entry } from './entry.ts'
import { readDocument } from './read-document.ts'
import { readLines } from './read-lines.ts'

/** How far an import has come. */
export type ImportProgress = {
  bytes: number
  bytesTotal: number
  merchants: number
  codes: number
  bad: number
}

export type ImportDeps = {
  directory: Pick<Directory, 'put'>
  /** Read in place of the file `-`, as lines: a container has no file of yours. */
  input: AsyncIterable<Buffer>
  onProgress: (progress: ImportProgress) => void
  /** Told of each record that is left out. */
  onBad: (where: string, fault: string) => void
}

/** The largest record there can be is some 3 MB: 10,000 stores, and 100 contracts with 200 wallets each. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024

const CHUNK_BYTES = 128 * 1024

/** Records written at once: enough that a sync to disk costs little for each, few enough that Redis is soon free again. */
const BATCH_RECORDS = 500

/** Batches on their way while the file is read on; with them, memory is bounded. */
const BATCHES_IN_FLIGHT = 4

type Batch = { merchants: MerchantRecord[]; codes: CodeRecord[] }

/**
 * Puts the records of a file into the directory, each over what was there; may be repeated. Records that are bad are told
 * and left out. Resolves with what was imported; rejects when the file cannot be read or Redis does not answer.
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

/** Gathers records; of one that comes twice, the later is written later. */
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
