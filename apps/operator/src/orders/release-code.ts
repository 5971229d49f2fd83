import { digestOf, namesOf, type OperatorStore, type OrderRecord } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import type { OrdersDeps } from './command.ts'
import { momentOf, tableOf, visible } from './print.ts'

/** A reason is a sentence that is listed with others. */
const REASON_LENGTH_MAX = 500

/** A release to make; `codeValue` is never printed, even if it is invalid. */
export type ReleaseRequest = { codeValue: string; reason: string | undefined; yes: boolean }

/** Lets an order code be placed again, or prints why not. Its order keeps its outcome. */
export async function releaseCode(
  { codeValue, reason = '', yes }: ReleaseRequest,
  { directory, orders, releasedCodes }: OperatorStore,
  { out, err, who }: OrdersDeps,
): Promise<number> {
  const fail = (why: string) => {
    err.write(`${why}\n`)
    return exitCode.missed
  }
  const code = digestOf(codeValue)
  const { codes, holders } = await directory.find([], [code])
  const orderId = holders.get(code)
  if (orderId === undefined) {
    const known = codes.has(code) ? '' : ', and the directory has no such code'
    return fail(`no order holds this code${known}: there is nothing to release`)
  }
  const record = await orders.record(orderId)
  const placed = Object.entries({ ...namesOf(orderId), ...endOf(record) })
  if (record !== undefined && record.outcome === undefined)
    return fail(
      `its order is still open: acquirer ${visible(record.order.acquirerId)}, ` +
        `paymentId ${visible(record.order.paymentId)}; release the code once it is concluded`,
    )
  if (!yes) {
    out.write('the code was placed with\n')
    for (const [name, value] of placed) out.write(`  ${name.padEnd(18)}${visible(value)}\n`)
    return fail('nothing was done: to let it be placed again, repeat the command with --yes')
  }
  if (!(await releasedCodes.release({ code, orderId, reason: reason.trim(), by: who() })))
    return fail('that order does not hold the code any more: see released-codes')
  const facts = placed.map(([name, value]) => `${name} ${visible(value)}`).join(', ')
  out.write(`released: the code can be placed once more; its order keeps its answer: ${facts}\n`)
  return exitCode.good
}

/** What is wrong with a reason, if anything. */
export function reasonFault(reason: string | undefined): string | undefined {
  const length = reason?.trim().length ?? 0
  if (length === 0) return 'say why, for later readers: --reason "the payment failed, case 17"'
  if (length > REASON_LENGTH_MAX) return `--reason is longer than ${REASON_LENGTH_MAX} characters`
  return undefined
}

/** How an order ended. */
const endOf = (record: OrderRecord | undefined): Record<string, string> =>
  record === undefined
    ? { outcome: 'not known: Redis has no record of it' }
    : {
        paymentRequestId: record.paymentRequestId,
        outcome: record.outcome ?? 'none yet',
        concluded: momentOf(record.concludedAt ?? record.claimedAt),
      }

/** Lists the released codes, newest first. */
export async function listReleased(
  { releasedCodes }: OperatorStore,
  max: number,
  { out }: OrdersDeps,
): Promise<number> {
  const releases = await releasedCodes.newest(max)
  if (releases.length === 0) out.write('no code was released\n')
  out.write(
    tableOf(
      ['released', 'by', 'code (digest)', 'acquirer', 'paymentId', 'reason'],
      releases.map(({ at, by, code, orderId, reason }) => {
        const { acquirerId, paymentId } = namesOf(orderId)
        return [momentOf(at), by, code, acquirerId, paymentId, reason]
      }),
    ),
  )
  return exitCode.good
}
