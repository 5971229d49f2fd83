import { connect } from '@placeorder/store'
import { serve } from '../test-bed/serve.ts'
import { Claims } from './claims.ts'
import { filesOf, serveSigned } from './signed-server.ts'

// The durable floor: the least that any correct implementation does. It decides nothing.

const urls = [process.env.REDIS_URL ?? '']
const connection = connect({ urls, cluster: false, sentinels: [], sentinelName: '' }, 'patient')
const claims = new Claims(connection)

await serveSigned(filesOf(process.env), async ({ paymentId }) =>
  (await claims.claim(paymentId)) ? 'SUCCESS' : 'REPEAT_REQ_INCONSISTENT',
)
serve({})
