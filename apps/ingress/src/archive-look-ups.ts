import type { Archive, FoundOrder, LookedUp } from '@placeorder/archive'
import { type MaybeForgotten, namesOf, type Recalled } from '@placeorder/store'

/** How long (ms) a caller waits for the archive, which has a row to find for each order. */
export const ANSWER_MS_MAX = 1_000

/** How many statements are under way at once; as many connections are open. */
export const STATEMENTS_MAX = 4

/** How many orders are looked up in one statement, unless a single group has more. */
const STATEMENT_ORDERS_MAX = 128

/**
 * How many orders are looked up at once. Others get no answer: the archive is slower than it is
 * asked.
 */
const ORDERS_MAX = 1_000

/** After a statement that failed or was not answered, nothing is asked for this time (ms). */
const PAUSE_MS = 1_000

type Asked = MaybeForgotten & { answer: PromiseWithResolvers<Recalled[]> }

/**
 * Asks one database for orders that Redis may have forgotten. What is asked while all statements
 * are under way shares the next one. Every answer comes in a second, whatever the database does;
 * while it fails, most come at once.
 */
export class ArchiveLookUps {
  readonly #archive: Pick<Archive, 'lookUp'>
  readonly #onFault: (error: unknown, what: string) => void
  #waiting: Asked[] = []
  #orders = 0
  #running = 0
  #pausedUntil = 0
  #fault = ''

  constructor(archive: Pick<Archive, 'lookUp'>, onFault: (error: unknown, what: string) => void) {
    this.#archive = archive
    this.#onFault = onFault
  }

  /** See `Recall` of the store. */
  async recall(forgotten: MaybeForgotten): Promise<Recalled[]> {
    const { orderIds } = forgotten
    const refusal = this.#refusal(orderIds.length)
    if (refusal !== undefined) return noAnswer(forgotten, refusal)
    this.#orders += orderIds.length
    const answer = Promise.withResolvers<Recalled[]>()
    this.#waiting.push({ ...forgotten, answer })
    this.#send()
    return answer.promise.finally(() => {
      this.#orders -= orderIds.length
    })
  }

  #refusal(more: number): string | undefined {
    if (performance.now() < this.#pausedUntil) return this.#fault
    return this.#orders > 0 && this.#orders + more > ORDERS_MAX
      ? `${this.#orders} orders are being looked up`
      : undefined
  }

  #send(): void {
    while (this.#running < STATEMENTS_MAX && this.#waiting.length > 0) void this.#ask(this.#next())
  }

  /** Those that wait for the same shard as the first one. */
  #next(): Asked[] {
    const [first] = this.#waiting
    let orders = 0
    const group = this.#waiting.filter(({ shard, archiveId, orderIds }, i) => {
      if (shard !== first?.shard || archiveId !== first.archiveId) return false
      orders += orderIds.length
      return i === 0 || orders <= STATEMENT_ORDERS_MAX
    })
    this.#waiting = this.#waiting.filter((asked) => !group.includes(asked))
    return group
  }

  async #ask(group: Asked[]): Promise<void> {
    const [first] = group
    if (first === undefined) return
    this.#running += 1
    try {
      const names = group.flatMap(({ orderIds }) => orderIds.map(namesOf))
      const lookedUp = await inTime(this.#archive.lookUp(first, names))
      for (const asked of group) asked.answer.resolve(recalledOf(asked, lookedUp))
    } catch (error) {
      this.#fail(group, error)
    }
    this.#running -= 1
    this.#send()
  }

  /** Those that wait would only wait for nothing. */
  #fail(group: Asked[], error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE_MS
    this.#fault = error instanceof Error ? error.message : String(error)
    for (const asked of [...group, ...this.#waiting.splice(0)])
      asked.answer.resolve(noAnswer(asked, this.#fault))
    this.#onFault(error, 'the archive does not answer; repeats of archived orders are U')
  }
}

async function inTime(lookedUp: Promise<LookedUp>): Promise<LookedUp> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new Error(`no answer within ${ANSWER_MS_MAX} ms`)),
    ANSWER_MS_MAX,
  )
  try {
    return await Promise.race([lookedUp, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

const noAnswer = ({ orderIds }: MaybeForgotten, reason: string): Recalled[] =>
  orderIds.map(() => ({ kind: 'NO_ANSWER', reason }))

function recalledOf({ orderIds, version }: MaybeForgotten, { version: known, found }: LookedUp) {
  return orderIds.map((orderId): Recalled => {
    const { acquirerId, paymentId } = namesOf(orderId)
    const isIt = (order: FoundOrder) =>
      order.acquirerId === acquirerId && order.paymentId === paymentId
    const order = found.find(isIt)
    // It is final, however old the rest of the archive is.
    if (order !== undefined) return { kind: 'FOUND', order }
    if (known === undefined) return notBelieved('it does not know the shard, and is another one')
    if (known < version) return notBelieved(`its version is ${known}, and was ${version}`)
    return { kind: 'ABSENT' }
  })
}

const notBelieved = (reason: string): Recalled => ({ kind: 'NOT_BELIEVED', reason })
