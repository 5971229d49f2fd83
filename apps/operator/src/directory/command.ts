import { type Directory, namesOf } from '@placeorder/store'
import { exitCode, readWords, type Screen } from '../command-line.ts'
import { importFile } from './import-file.ts'
import { ProgressLine, rateOf } from './progress-line.ts'
import { SHAPE } from './read-document.ts'

export type CommandDeps = {
  /** Opens the directory; only commands that use it wait for Redis. */
  open: () => Promise<{ directory: Directory; close: () => Promise<void> }>
  out: Screen
  err: Screen
  input: AsyncIterable<Buffer>
}

const help = `directory <command>

Manages the merchants and codes that orders are judged by. Workers see a change at once.

  import <file>          imports the records of a .json or .ndjson file; each replaces an earlier
                         version, and an import may be repeated. -: NDJSON from standard input
  show merchant <id>     prints a merchant
  show code <value>      prints a code, and the payment that an order code was placed with
  remove merchant <id>   removes a merchant
  remove code <value>    removes a code, and what is known of its order: if an order code that was
                         placed is imported again, it is open
  --help                 this text

A .json file is { "merchants": [ … ], "codes": [ … ] }; a line of an .ndjson file is one merchant
or code. Redis and SHARDS are read from the environment. docs/directory.md describes each field.

Exits 0 when all was done; 1 when a record was bad or does not exist, or Redis did not answer;
2 when the arguments are invalid.
`

/**
 * Runs the command that the arguments name, and resolves with the exit code. Failures of Redis or
 * the disk are thrown.
 */
export async function runDirectory(args: string[], deps: CommandDeps): Promise<number> {
  const { words, asksForHelp } = readWords(args)
  if (asksForHelp) {
    deps.out.write(help)
    return exitCode.good
  }
  const [verb, kind, id, ...more] = words ?? []
  if (verb === 'import' && kind !== undefined && id === undefined) return importInto(kind, deps)
  const named = (kind === 'merchant' || kind === 'code') && id !== undefined && more.length === 0
  if (verb === 'show' && named)
    return withDirectory(deps, (directory) => show(directory, kind, id, deps))
  if (verb === 'remove' && named)
    return withDirectory(deps, (directory) => remove(directory, kind, id, deps))
  deps.err.write(
    words === undefined || verb === undefined
      ? help
      : `there is no such command: ${args.join(' ')}\n\n${help}`,
  )
  return exitCode.usage
}

async function withDirectory(
  { open }: CommandDeps,
  body: (directory: Directory) => Promise<number>,
): Promise<number> {
  const { directory, close } = await open()
  try {
    return await body(directory)
  } finally {
    await close()
  }
}

async function importInto(path: string, deps: CommandDeps): Promise<number> {
  const { out, err } = deps
  if (path !== '-' && !/\.(json|ndjson|jsonl)$/.test(path)) {
    err.write(`${path}: name a .json or an .ndjson file, or - for lines on standard input\n`)
    return exitCode.usage
  }
  return withDirectory(deps, async (directory) => {
    const line = new ProgressLine(err)
    try {
      const done = await importFile(path, {
        directory,
        input: deps.input,
        onProgress: (progress) => line.show(progress),
        onBad: (where, fault) => line.printAbove(`${path}: ${where}: ${fault}`),
      })
      line.clear()
      if (done.merchants + done.codes + done.bad === 0) {
        err.write(`${path}: holds no merchant and no code: nothing was imported. ${SHAPE}\n`)
        return exitCode.missed
      }
      const seconds = (line.elapsedMs / 1000).toFixed(1)
      out.write(
        `imported ${counted(done.merchants, 'merchant')} and ${counted(done.codes, 'code')} ` +
          `in ${seconds} s, ${rateOf(done, line.elapsedMs)}\n`,
      )
      if (done.bad > 0)
        err.write(`left out ${counted(done.bad, 'bad record')}: fix the file and import it again\n`)
      return done.bad > 0 ? exitCode.missed : exitCode.good
    } finally {
      line.clear()
    }
  })
}

const counted = (number: number, what: string): string =>
  `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`

async function show(
  directory: Directory,
  kind: 'merchant' | 'code',
  id: string,
  { out, err }: CommandDeps,
): Promise<number> {
  const record = kind === 'merchant' ? await directory.merchant(id) : await directory.code(id)
  const holder = kind === 'code' ? await directory.holder(id) : undefined
  if (record !== undefined) out.write(`${JSON.stringify(record, null, 2)}\n`)
  else err.write(`there is no such ${kind}\n`)
  if (holder !== undefined) {
    const { acquirerId, paymentId } = namesOf(holder)
    err.write(`placed with payment ${paymentId} of acquirer ${acquirerId}\n`)
  }
  return record === undefined ? exitCode.missed : exitCode.good
}

async function remove(
  directory: Directory,
  kind: 'merchant' | 'code',
  id: string,
  { out, err }: CommandDeps,
): Promise<number> {
  const removed =
    kind === 'merchant' ? await directory.removeMerchant(id) : await directory.removeCode(id)
  if (removed) out.write(`removed the ${kind}\n`)
  else err.write(`there is no such ${kind}\n`)
  return removed ? exitCode.good : exitCode.missed
}
