import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Caller, signedCall } from '@placeorder/testkit/signed-call'
import { bodyAt, clientId } from '../orders/order-at.ts'
import { placeOrderPath, type TestBed } from './test-bed.ts'

/** Keeps the ids of these orders apart from those of measured orders. */
const RUN = 99_999_999

/**
 * Places one order through each URL and verifies the signatures of the answers: a system that does
 * not speak the protocol is not measured.
 *
 * @throws if an answer is not a SUCCESS signed with the acquirer's key
 */
export async function smokeTest(
  testBed: TestBed,
  name: string,
  urls: readonly string[],
): Promise<void> {
  const caller = await callerOf(testBed)
  for (const [at, url] of urls.entries()) {
    const order: unknown = JSON.parse(bodyAt(at, RUN))
    const answer = await signedCall(`${url}${placeOrderPath}`, order, caller)
    if (!answer.verified || answer.code !== 'SUCCESS')
      throw new Error(`${name} does not place an order: ${JSON.stringify(answer)}`)
  }
}

export async function callerOf({ files }: TestBed): Promise<Caller> {
  const [key, serverKey] = await Promise.all([
    readFile(files.callerKey),
    readFile(files.signingPublicKey),
  ])
  return { clientId, key: createPrivateKey(key), serverKey: createPublicKey(serverKey) }
}
