import { serve } from '../test-bed/serve.ts'
import { openBee } from './bee.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), await openBee(process.env.REDIS_URL ?? ''))
serve({})
