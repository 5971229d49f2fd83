import type { KeyObject } from 'node:crypto'
import { formatSignatureHeader, sign, signedText } from '@placeorder/protocol'

/** Our signing key and the version callers know it by. */
export type SigningKey = { key: KeyObject; version: string }

/** What is signed for an answer. */
export type AnswerToSign = { target: string; clientId: string; body: Buffer; shareable: boolean }

/** The headers that make an answer ours. */
export type AnswerHeaders = { 'response-time': string; signature: string }

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

  /** `key` gives the key of the moment, so that it can be changed without a restart. */
  constructor(key: () => SigningKey) {
    this.#key = key
  }

  /** Signatures being made or waiting for a thread. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Signs one answer, off the event loop. */
  async headersFor({ target, clientId, body, shareable }: AnswerToSign): Promise<AnswerHeaders> {
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
