import { serve } from '../test-bed/serve.ts'
import { openObvious } from './naive.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), await openObvious(process.env.REDIS_URL ?? ''))
serve({})
