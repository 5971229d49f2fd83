import { type Archive, type Maintained, maintain, printedMigrations } from '@placeorder/archive'
import type { OperatorStore } from '@placeorder/store'
import { exitCode, readWords, type Screen } from '../command-line.ts'
import { backfill } from './backfill.ts'
import { prepare } from './prepare.ts'
import { rebuild } from './rebuild.ts'
import type { Stores } from './reshard/obstacles.ts'
import { reshard } from './reshard/reshard.ts'
import { restore } from './restore.ts'
import { showStatus } from './status.ts'
import { switchOff } from './switch.ts'
import { verify } from './verify.ts'

/** What a command works with. */
export type BothStores = {
  store: OperatorStore
  archive: Archive
  url: string
  requestsKeepMonths: number
}

export type ArchiveDeps = {
  /** Reads the environment alone. */
  read: () => Pick<BothStores, 'url' | 'requestsKeepMonths'>
  /** Opens both stores; only what uses them waits for Redis. */
  open: () => Promise<BothStores>
  /** The same for the change of the number of shards. */
  openToReshard: () => Promise<Stores>
  out: Screen
  err: Screen
}

const help = `archive <command>

Prepares and looks at the archive: the PostgreSQL that concluded orders are copied to.

  migrate             brings the schema up to date, makes the coming months' partitions, and
                      switches the copying on in Redis; may be repeated
    --print           prints the SQL of the schema instead, for whoever runs it by hand
    --another         this Redis is another installation beside those that the database has
  maintain            makes the coming months' partitions, and drops the requests older than
                      REQUESTS_KEEP_MONTHS; to be run once a day
  status              how far each shard is copied, how many orders were forgotten, and which
                      were set aside
  backfill            has the orders copied that were concluded before copying was switched on,
                      and those that were set aside and have been repaired
  verify              compares Redis with the archive, and the archive with Redis
  restore             after Redis was restored from an older file: brings it to the state that the
                      archive has, so that it is used again; may be repeated
    --archive <id>    the archive of this Redis, where Redis has lost that and the database has
                      several
  rebuild             makes the filters of forgotten orders anew out of the archive, while
                      everything runs
  reshard <n>         changes the number of shards to <n>, with everything else stopped: archives
                      and forgets all concluded orders, makes the filters for that number, moves
                      what else is kept by shard. If it is interrupted, run it again
    --dry-run         says what it would do, and what is in its way
  off                 switches the copying off in Redis; what is archived stays
  --help              this text

ARCHIVE_URL, REQUESTS_KEEP_MONTHS, Redis and SHARDS are read from the environment.

Exits 0 when all was done; 1 when it was not, or something differs; 2 when the arguments make no
sense.
`

const commands: Record<string, (stores: BothStores, deps: ArchiveDeps) => Promise<number>> = {
  status: showStatus,
  backfill,
  verify,
  rebuild,
  off: switchOff,
}

/**
 * Runs the command that the arguments name, and resolves with the exit code. What a store fails of
 * is thrown.
 */
export async function runArchive(args: string[], deps: ArchiveDeps): Promise<number> {
  const { words, asksForHelp, flags, values } = readWords(
    args,
    ['print', 'another', 'dry-run'],
    ['archive'],
  )
  if (asksForHelp) {
    deps.out.write(help)
    return exitCode.good
  }
  const [verb = '', ...more] = words ?? []
  if (more.length === 0 && verb === 'migrate' && values.size === 0) {
    if (!flags.has('print'))
      return withStores(deps, (stores) => prepare(stores, flags.has('another'), deps))
    deps.out.write(printedMigrations())
    return exitCode.good
  }
  const [to, ...rest] = more
  if (verb === 'reshard' && to !== undefined && rest.length + values.size === 0)
    return runReshard(to, flags.has('dry-run'), deps)
  if (more.length === 0 && flags.size === 0 && verb === 'restore')
    return withArchive(deps, (stores) => restore(stores, { ...deps, given: values.get('archive') }))
  if (more.length === 0 && flags.size + values.size === 0) {
    if (verb === 'maintain') return runMaintain(deps)
    const command = Object.hasOwn(commands, verb) ? commands[verb] : undefined
    if (command !== undefined) return withArchive(deps, (stores) => command(stores, deps))
  }
  const unknown = args.length === 0 ? '' : `I do not know what to do with: ${args.join(' ')}\n\n`
  deps.err.write(`${unknown}${help}`)
  return exitCode.usage
}

async function withStores(
  { open }: ArchiveDeps,
  body: (stores: BothStores) => Promise<number>,
): Promise<number> {
  const stores = await open()
  try {
    return await body(stores)
  } finally {
    await stores.store.close()
    await stores.archive.close()
  }
}

/** The same for what needs the schema. */
const withArchive = (deps: ArchiveDeps, body: (stores: BothStores) => Promise<number>) =>
  withStores(deps, async (stores) => {
    await stores.archive.check()
    return body(stores)
  })

async function runReshard(to: string, isDryRun: boolean, deps: ArchiveDeps): Promise<number> {
  const stores = await deps.openToReshard()
  try {
    return await reshard(stores, { ...deps, to, isDryRun })
  } finally {
    await stores.store.close()
    await stores.archive.close()
  }
}

async function runMaintain({ read, out }: ArchiveDeps): Promise<number> {
  const { url, requestsKeepMonths } = read()
  out.write(maintainedText(await maintain(url, { requestsKeepMonths, now: Date.now() })))
  return exitCode.good
}

/** What maintaining has done, in lines. */
export const maintainedText = ({ made, dropped }: Maintained): string =>
  [
    ...made.map((name) => `made the partition ${name}\n`),
    ...dropped.map((name) => `dropped the partition ${name}\n`),
    ...(made.length + dropped.length === 0 ? ['every partition is there\n'] : []),
  ].join('')
