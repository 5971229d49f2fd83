import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { signedText } from '@placeorder/protocol'
import { z } from 'zod'
import { bodyAt, clientId } from './order-at.ts'
import { SIGNATURE_BYTES } from './sign-ahead.ts'

const Part = z.object({
  from: z.number(),
  to: z.number(),
  target: z.string(),
  keyFile: z.string(),
  time: z.string(),
})

const { from, to, target, keyFile, time } = Part.parse(workerData)
const key = createPrivateKey(readFileSync(keyFile))
const signatures = Buffer.alloc((to - from) * SIGNATURE_BYTES)
for (let at = from; at < to; at += 1) {
  const text = signedText(target, clientId, time, Buffer.from(bodyAt(at)))
  sign('RSA-SHA256', text, key).copy(signatures, (at - from) * SIGNATURE_BYTES)
}
parentPort?.postMessage(signatures)
