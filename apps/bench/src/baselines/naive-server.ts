import { serve } from '../test-bed/serve.ts'
import { openNaive } from './naive.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), await openNaive(process.env.REDIS_URL ?? ''))
serve({})
