import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'

const { keyFile, ms } = z.object({ keyFile: z.string(), ms: z.number() }).parse(workerData)
const key = createPrivateKey(readFileSync(keyFile))
/** About as long as an answer's signed text. */
const text = Buffer.alloc(300, 'a')
const startedAt = performance.now()
let signatures = 0
while (performance.now() - startedAt < ms) {
  sign('RSA-SHA256', text, key)
  signatures += 1
}
parentPort?.postMessage({ signatures, ms: performance.now() - startedAt })
