import type { KeyObject } from 'node:crypto'
import { formatSignatureHeader, sign, signedText } from '@placeorder/protocol'

/** Our signing key and the version callers know it by. */
export type SigningKey = { key: KeyObject; version: string }

/** What is signed for an answer. */
export type AnswerToSign = { target: string; clientId: string; body: Buffer; shareable: boolean }

/** The headers that make an answer ours. */
export type AnswerHeaders = { 'response-time': string; signature: string }

/** The answer an order will have, most likely; with its headers, if they are being made already. */
export type Expected = {
  answer: AnswerToSign
  at: number
  headers: Promise<AnswerHeaders> | undefined
}

/**
 * Answers are signed ahead while so many of the last ones came out as expected. A signature in vain costs what half an order
 * does; all of them in time make 3 to 10 % more orders a second, measured with 64 in hand.
 */
const CAME_TRUE_MIN = 0.95
/** The weight of one answer in that share. */
const CAME_TRUE_WEIGHT = 1 / 64

/** What was signed longer ago (ms) is signed anew: Response-Time says when, in whole seconds. */
const AHEAD_MS_MAX = 1_000

/**
 * Signs answers.
 *
 * Response-Time has whole seconds, so two answers that say the same to the same client within a second are the same
 * text, and an RSA PKCS #1 v1.5 signature is a function of text and key: it is made once. This is what makes refusing
 * cheap, since signing is nearly all a refusal costs. Answers with a paymentRequestId are never the same and are not kept.
 */
export class Signer {
  readonly #key: () => SigningKey
  #shared = new Map<string, Promise<string>>()
  #sharedAt = ''
  #inFlight = 0
  #cameTrue = 1

  /** `key` gives the key of the moment, so that it can be changed without a restart. */
  constructor(key: () => SigningKey) {
    this.#key = key
  }

  /** Signatures being made or waiting for a thread. */
  get inFlight(): number {
    return this.#inFlight
  }

  /**
   * Begins to sign the answer an order will have, most likely, while a worker decides it. Nothing of it leaves unless the
   * order has that answer: `headersFor` sees to it.
   */
  expect(answer: AnswerToSign): Expected {
    const headers = this.#cameTrue >= CAME_TRUE_MIN ? this.#headersFor(answer) : undefined
    headers?.catch(() => {}) // Told to whoever asks for them.
    return { answer, at: performance.now(), headers }
  }

  /** Signs one answer, off the event loop, if it was not `expected` and signed already. */
  headersFor(answer: AnswerToSign, expected?: Expected): Promise<AnswerHeaders> {
    if (expected === undefined) return this.#headersFor(answer)
    const cameTrue = areEqual(answer, expected.answer)
    this.#cameTrue += CAME_TRUE_WEIGHT * (Number(cameTrue) - this.#cameTrue)
    const inTime = performance.now() - expected.at < AHEAD_MS_MAX
    return (cameTrue && inTime ? expected.headers : undefined) ?? this.#headersFor(answer)
  }

  async #headersFor({ target, clientId, body, shareable }: AnswerToSign): Promise<AnswerHeaders> {
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const text = signedText(target, clientId, time, body)
    const signature = await (shareable ? this.#sharedSignature(time, text) : this.#sign(text))
    return { 'response-time': time, signature }
  }

  #sharedSignature(time: string, text: Buffer): Promise<string> {
    const { version } = this.#key()
    if (time !== this.#sharedAt) this.#shared = new Map()
    this.#sharedAt = time
    const name = `${version} ${text.toString('latin1')}`
    const made = this.#shared.get(name) ?? this.#sign(text)
    this.#shared.set(name, made)
    return made
  }

  async #sign(text: Buffer): Promise<string> {
    const { key, version } = this.#key()
    this.#inFlight += 1
    try {
      return formatSignatureHeader(version, await sign(text, key))
    } finally {
      this.#inFlight -= 1
    }
  }
}

const areEqual = (one: AnswerToSign, other: AnswerToSign): boolean =>
  one.target === other.target && one.clientId === other.clientId && one.body.equals(other.body)
