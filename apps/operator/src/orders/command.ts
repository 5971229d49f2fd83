import type { Archive } from '@placeorder/archive'
import { namesOf, type OperatorStore, type OrderId, orderIdOf, shardOf } from '@placeorder/store'
import { exitCode, readWords, type Screen } from '../command-line.ts'
import { type FindOptions, findOrders, searchOf } from './find.ts'
import { ageOf, momentOf, tableOf } from './print.ts'
import { listReleased, reasonFault, releaseCode } from './release-code.ts'
import { showOrder } from './show.ts'
import { archivedOrder, archivedText } from './show-archived.ts'
import { deliveriesText } from './show-deliveries.ts'

export type OrdersDeps = {
  /** Opens the store; only commands that use it wait for Redis. */
  open: () => Promise<OperatorStore>
  /** Opens the archive; undefined where there is none. */
  openArchive?: () => Archive | undefined
  out: Screen
  err: Screen
  /** The person who runs it, for the record of released codes. */
  who: () => string
}

/** The most orders in one list, of all shards together: more would hardly add information. */
const LISTED_MAX = 100

const help = `orders <command>

Shows the state of orders, and retries them.

  show <paymentId>    an order's history and the deliveries of its event, with times; code and
                      customer only with --full
  find --request-id <paymentRequestId>
  find --merchant <id> --from <time> --to <time>
                      the orders of a paymentRequestId; or of a merchant, claimed from one time on
                      and before another, in Redis and the archive
  open                the oldest ${LISTED_MAX} orders that are not decided yet
  abandoned           the newest ${LISTED_MAX} orders that ended PROCESS_FAIL, not decided within
                      DECIDE_WITHIN_MS
  retry <paymentId>   gives an open order to a new job now, without waiting for its retry
  release-code <codeValue> --reason <why> [--yes]
                      lets an order code be placed again, e.g. when the payer's payment failed after
                      it was placed; names that order, and does nothing without --yes
  released-codes      the newest ${LISTED_MAX} released codes, with reason and person
  --acquirer <id>     whose order is meant, when two acquirers have the paymentId
  --help              this text

Redis and SHARDS are read from the environment.

Exits 0 when all was done; 1 when there is no such order, it is concluded, no order holds the code,
--yes is missing, or Redis did not answer; 2 when the arguments are invalid, or fit two orders.
`

/**
 * Runs the command that the arguments name, and resolves with the exit code. Failures of Redis are
 * thrown.
 */
export async function runOrders(args: string[], deps: OrdersDeps): Promise<number> {
  const { words, asksForHelp, flags, values } = readWords(
    args,
    ['full', 'yes'],
    ['acquirer', 'reason', 'request-id', 'merchant', 'from', 'to'],
  )
  if (asksForHelp) {
    deps.out.write(help)
    return exitCode.good
  }
  const [verb, paymentId, ...more] = words ?? []
  if (paymentId !== undefined && more.length === 0) {
    const order = { acquirerId: values.get('acquirer'), paymentId }
    if (verb === 'show')
      return withOrder(order, deps, (id, store) => show(id, flags.has('full'), store, deps))
    if (verb === 'retry') return withOrder(order, deps, (id, store) => retry(id, store, deps))
    if (verb === 'release-code') {
      const reason = values.get('reason')
      const release = { codeValue: paymentId, reason, yes: flags.has('yes') }
      const fault = reasonFault(reason)
      if (fault === undefined) return withStore(deps, (store) => releaseCode(release, store, deps))
      deps.err.write(`${fault}\n`)
      return exitCode.usage
    }
  }
  if (verb === 'find' && paymentId === undefined) {
    const [merchant, from, to] = ['merchant', 'from', 'to'].map((name) => values.get(name))
    return find({ requestId: values.get('request-id'), merchant, from, to }, deps)
  }
  if (verb === 'open' && paymentId === undefined)
    return withStore(deps, (store) => listOpen(store, deps))
  if (verb === 'abandoned' && paymentId === undefined)
    return withStore(deps, (store) => listAbandoned(store, deps))
  if (verb === 'released-codes' && paymentId === undefined)
    return withStore(deps, (store) => listReleased(store, LISTED_MAX, deps))
  // The code is not printed.
  const shown = args.includes('release-code') ? 'release-code …' : args.join(' ')
  const unknown = args.length === 0 ? '' : `there is no such command: ${shown}\n\n`
  deps.err.write(`${unknown}${help}`)
  return exitCode.usage
}

async function withStore(
  { open }: OrdersDeps,
  body: (store: OperatorStore) => Promise<number>,
): Promise<number> {
  const store = await open()
  try {
    return await body(store)
  } finally {
    await store.close()
  }
}

/** Runs `body` with the order that is meant. */
function withOrder(
  { acquirerId, paymentId }: { acquirerId: string | undefined; paymentId: string },
  deps: OrdersDeps,
  body: (orderId: OrderId, store: OperatorStore) => Promise<number>,
): Promise<number> {
  return withStore(deps, async (store) => {
    if (acquirerId !== undefined) return body(orderIdOf({ acquirerId, paymentId }), store)
    const [orderId, ...others] = await ordersOf(paymentId, store, deps)
    if (orderId === undefined) {
      deps.err.write(`${noSuchOrder}\n`)
      return exitCode.missed
    }
    if (others.length === 0) return body(orderId, store)
    const whose = [orderId, ...others].map((id) => namesOf(id).acquirerId)
    deps.err.write(
      `${whose.length} acquirers have an order with this paymentId: ${whose.join(', ')}\n` +
        'say which one is meant: --acquirer <id>\n',
    )
    return exitCode.usage
  })
}

/** Whose orders have a paymentId, in Redis or the archive. */
export async function ordersOf(
  paymentId: string,
  { acquirers }: OperatorStore,
  deps: Pick<OrdersDeps, 'openArchive'>,
): Promise<OrderId[]> {
  const held = await acquirers.ordersOf(paymentId)
  if (held.length > 0) return held
  return withArchive(deps, async (archive) => {
    const found: OrderId[] = []
    if (archive !== undefined)
      for await (const page of archive.search({ paymentId })) found.push(...page.map(orderIdOf))
    return found
  })
}

async function withArchive<T>(
  { openArchive = () => undefined }: Pick<OrdersDeps, 'openArchive'>,
  body: (archive: Archive | undefined) => Promise<T>,
): Promise<T> {
  const archive = openArchive()
  try {
    return await body(archive)
  } finally {
    await archive?.close()
  }
}

function find(options: FindOptions, deps: OrdersDeps): Promise<number> {
  return withArchive(deps, async (archive) => {
    const searched = searchOf(options)
    if (typeof searched !== 'string' && archive !== undefined)
      return withStore(deps, (store) => findOrders(searched, { store, archive }, deps))
    const fault = typeof searched === 'string' ? searched : 'find needs an archive: set ARCHIVE_URL'
    deps.err.write(`${fault}\n`)
    return exitCode.usage
  })
}

const noSuchOrder = 'there is no such order'

async function show(
  orderId: OrderId,
  full: boolean,
  store: OperatorStore,
  deps: OrdersDeps,
): Promise<number> {
  const { out, err } = deps
  const shown =
    (await showOrder(orderId, full, store)) ??
    (await withArchive(deps, async (archive) => {
      const order = await archivedOrder(orderId, store, archive)
      return order && archivedText(order)
    }))
  if (shown === undefined) err.write(`${noSuchOrder}\n`)
  else out.write(`${shown}${await deliveriesText(orderId, store)}`)
  return shown === undefined ? exitCode.missed : exitCode.good
}

async function retry(
  orderId: OrderId,
  store: OperatorStore,
  { out, err }: OrdersDeps,
): Promise<number> {
  const record = await store.orders.record(orderId)
  const fail = (why: string) => {
    err.write(`${why}\n`)
    return exitCode.missed
  }
  if (record === undefined) return fail(noSuchOrder)
  if (record.outcome !== undefined)
    return fail(`it is concluded, ${record.outcome}: there is nothing to retry`)
  const shard = shardOf(orderId, store.shards)
  const given = await store.requeue.requeueNow(shard, [{ orderId, jobId: record.jobId }], 'o')
  if (given.length === 0)
    return fail('it was given to another job, or concluded, just now: look again')
  out.write('given to a new job\n')
  return exitCode.good
}

async function listOpen({ orders, shards }: OperatorStore, { out }: OrdersDeps): Promise<number> {
  const now = Date.now()
  const all = await Promise.all(
    Array.from({ length: shards }, async (_, shard) => {
      const orderIds = await orders.open(shard, now, LISTED_MAX)
      const records = await orders.records(shard, orderIds)
      const { open } = await orders.backlog(shard)
      return { open, listed: orderIds.map((orderId, i) => ({ orderId, record: records[i] })) }
    }),
  )
  const rows = all
    .flatMap(({ listed }) => listed)
    .map(({ orderId, record }) => {
      const { acquirerId, paymentId } = namesOf(orderId)
      if (record === undefined || record instanceof Error)
        return { at: 0, row: ['?', 'its record cannot be read', '', acquirerId, paymentId] }
      const { claimedAt, jobId = 'no job' } = record
      return {
        at: claimedAt,
        row: [ageOf(now - claimedAt), momentOf(claimedAt), jobId, acquirerId, paymentId],
      }
    })
  rows.sort((a, b) => a.at - b.at)
  const open = all.reduce((sum, shard) => sum + shard.open, 0)
  out.write(`${open} open\n`)
  out.write(
    tableOf(
      ['age', 'claimed', 'job', 'acquirer', 'paymentId'],
      rows.slice(0, LISTED_MAX).map(({ row }) => row),
    ),
  )
  return exitCode.good
}

async function listAbandoned(
  { orders, shards }: OperatorStore,
  { out }: OrdersDeps,
): Promise<number> {
  const all = await Promise.all(
    Array.from({ length: shards }, (_, shard) => orders.listAbandoned(shard, LISTED_MAX)),
  )
  const newest = all
    .flat()
    .sort((a, b) => b.at - a.at)
    .slice(0, LISTED_MAX)
  if (newest.length === 0) out.write('no order was abandoned\n')
  out.write(
    tableOf(
      ['abandoned', 'acquirer', 'paymentId'],
      newest.map(({ at, orderId }) => {
        const { acquirerId, paymentId } = namesOf(orderId)
        return [momentOf(at), acquirerId, paymentId]
      }),
    ),
  )
  return exitCode.good
}
