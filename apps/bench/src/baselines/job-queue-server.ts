import { serve } from '../test-bed/serve.ts'
import { openJobQueue } from './job-queue.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), await openJobQueue(process.env.REDIS_URL ?? ''))
serve({})
