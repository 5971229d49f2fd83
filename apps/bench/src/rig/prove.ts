import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { signedCall } from '@placeorder/testkit/signed-call'
import { bodyAt, clientId } from '../orders/order-at.ts'
import { type House, placeOrderPath } from './house.ts'

/**
 * Places one order and verifies the answer's signature: a system that does not speak the protocol is not measured.
 *
 * @throws when the answer is not a SUCCESS signed with the acquirer's key
 */
export async function prove({ files }: House, name: string, url: string): Promise<void> {
  const [key, serverKey] = await Promise.all([readFile(files.callerKey), readFile(files.signingPublicKey)])
  const caller = { clientId, key: createPrivateKey(key), serverKey: createPublicKey(serverKey) }
  const order: unknown = JSON.parse(bodyAt(0, 99_999_999))
  const heard = await signedCall(`${url}${placeOrderPath}`, order, caller)
  if (!heard.verified || heard.code !== 'SUCCESS')
    throw new Error(`${name} does not place an order: ${JSON.stringify(heard)}`)
}
