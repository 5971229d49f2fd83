import type { KeyObject } from 'node:crypto'
import { formatSignatureHeader, sign, signedText } from '@placeorder/protocol'
import { type Addressee, addresseeOf } from '../addressee.ts'
import { Rate } from '../rate.ts'
import type { SigningQueue, SigningTask, Turn } from './signing-queue.ts'

/** Our signing key and the version callers know it by. */
export type SigningKey = { key: KeyObject; version: string }

/** What the signature of an answer covers. */
export type AnswerToSign = Addressee & { body: Buffer; shareable: boolean }

/** The headers that sign an answer. */
export type AnswerHeaders = { 'client-id': string; 'response-time': string; signature: string }

/** The likely answer of an order, and its signature, if that is being made already. */
export type ExpectedAnswer = { answer: AnswerToSign; at: number; made: Made | undefined }

type Made = { clientId: string; time: string; signing: SigningTask }

/**
 * Answers are signed ahead while this share of the last ones were as expected. A wasted signature
 * costs what half an order does; if all are used they make 3 to 10 % more orders a second, measured
 * with 64 in flight.
 */
const CAME_TRUE_MIN = 0.95
/** The weight of one answer in that share. */
const CAME_TRUE_WEIGHT = 1 / 64

/** A signature made longer ago (ms) is made again: Response-Time is in whole seconds. */
const AHEAD_MS_MAX = 1_000

/**
 * Signatures a second for all strangers together: enough for somebody setting up a client, and no
 * load.
 */
const STRANGERS_PER_SECOND = 50

/**
 * Different shared answers of a known client that wait to be signed. Past this it is changing its
 * target each time.
 */
const WAITING_MAX = 256

/** The addressee of a generic answer, for callers past their budget of signatures. */
const anybody = addresseeOf('/')

/**
 * Signs answers.
 *
 * Response-Time has whole seconds, so two answers with the same content to the same client within a
 * second are the same text, and an RSA PKCS #1 v1.5 signature is a function of text and key: it is
 * made once. This makes refusing cheap, since signing is nearly all that a refusal costs. Answers
 * with a paymentRequestId are never the same and are not kept.
 *
 * A caller that sends another target each time shares no answer with others, and costs a signature
 * each time. Past their budget, such callers get one generic answer, for `/` and UNKNOWN.
 */
export class Signer {
  readonly #key: () => SigningKey
  readonly #queue: SigningQueue
  readonly #strangers: Rate
  #shared = { time: '', signings: new Map<string, SigningTask>() }
  #cameTrue = 1

  /** `key` returns the key in force, which may change without a restart. */
  constructor(
    key: () => SigningKey,
    queue: SigningQueue,
    strangers: Rate = new Rate(STRANGERS_PER_SECOND),
  ) {
    this.#key = key
    this.#queue = queue
    this.#strangers = strangers
  }

  /** Measures a signature with this key, so that the first orders are admitted by its real time. */
  async measure(): Promise<void> {
    const turn = { rank: 'known', flow: '', deadlineAt: Number.POSITIVE_INFINITY } as const
    await this.headersFor({ ...anybody, body: Buffer.alloc(0), shareable: true }, turn)
  }

  /**
   * Begins to sign the likely answer of an order while a worker decides it. It is sent only if the
   * order gets that answer: `headersFor` checks.
   */
  prepare(answer: AnswerToSign, turn: Turn): ExpectedAnswer {
    const isLikely = this.#cameTrue >= CAME_TRUE_MIN
    const made = isLikely ? this.#make(answer, { ...turn, rank: 'ahead' }) : undefined
    return { answer, at: performance.now(), made }
  }

  /**
   * Signs one answer in its turn, off the event loop, unless it is the `expected` one and signed
   * already.
   *
   * @throws SigningTimeout
   */
  async headersFor(
    answer: AnswerToSign,
    turn: Turn,
    expected?: ExpectedAnswer,
  ): Promise<AnswerHeaders> {
    const { clientId, time, signing } =
      (expected && this.#asExpected(answer, turn, expected)) ?? this.#make(answer, turn)
    return { 'client-id': clientId, 'response-time': time, signature: await signing.signature }
  }

  #asExpected(
    answer: AnswerToSign,
    turn: Turn,
    { made, ...expected }: ExpectedAnswer,
  ): Made | undefined {
    const cameTrue = areEqual(answer, expected.answer)
    this.#cameTrue += CAME_TRUE_WEIGHT * (Number(cameTrue) - this.#cameTrue)
    const isGood = cameTrue && performance.now() - expected.at < AHEAD_MS_MAX
    if (made === undefined) return undefined
    if (isGood) this.#queue.promote(made.signing, turn)
    else this.#queue.drop(made.signing)
    return isGood ? made : undefined
  }

  #make(answer: AnswerToSign, turn: Turn): Made {
    const { target, clientId, body, shareable } = answer
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const text = signedText(target, clientId, time, body)
    const key = this.#key()
    const add = () => this.#queue.add(() => signature(text, key), turn)
    if (!shareable) return { clientId, time, signing: add() }
    const shared = this.#sharedAt(time)
    const name = `${key.version} ${text.toString('latin1')}`
    const known = shared.get(name)
    if (known === undefined && !isForAnybody(answer) && !this.#mayCost(turn))
      return this.#make({ ...answer, ...anybody }, { ...turn, rank: 'stranger', flow: 'anybody' })
    if (known !== undefined) this.#queue.promote(known, turn)
    const signing = known ?? add()
    shared.set(name, signing)
    signing.signature.catch(() => shared.delete(name))
    return { clientId, time, signing }
  }

  /** The shared signatures of the second `time`. */
  #sharedAt(time: string): Map<string, SigningTask> {
    if (time !== this.#shared.time) this.#shared = { time, signings: new Map() }
    return this.#shared.signings
  }

  /** Whether an answer that nobody shares may cost a signature. */
  #mayCost(turn: Turn): boolean {
    return turn.rank === 'stranger'
      ? this.#strangers.take()
      : this.#queue.sizeOf(turn) < WAITING_MAX
  }
}

const signature = async (text: Buffer, { key, version }: SigningKey): Promise<string> =>
  formatSignatureHeader(version, await sign(text, key))

const isForAnybody = ({ target, clientId }: Addressee): boolean =>
  target === anybody.target && clientId === anybody.clientId

const areEqual = (one: AnswerToSign, other: AnswerToSign): boolean =>
  one.target === other.target && one.clientId === other.clientId && one.body.equals(other.body)
