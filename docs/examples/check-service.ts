import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { z } from 'zod'

// A check as an HTTP service: refuses the merchants on a list.
// Run it with `node docs/examples/check-service.ts 4000`.

const CheckRequest = z.object({
  order: z.object({ merchant: z.object({ referenceMerchantId: z.string() }) }),
})
const suspects = new Set(['M00000000099'])

const server = createServer(async (request, response) => {
  const { order } = CheckRequest.parse(await json(request))
  // The same order may be sent again, always with the same key: store results under this key.
  const key = request.headers['idempotency-key']
  const resultCode = suspects.has(order.merchant.referenceMerchantId) ? 'RISK_REJECT' : 'SUCCESS'
  console.log(`${key}: ${resultCode}`)
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ resultCode }))
})

const [port = '4000'] = process.argv.slice(2)
server.listen(Number(port), '127.0.0.1', () => console.log('checking'))
