import { serve } from '../rig/serve.ts'
import { openObvious } from './obvious.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), await openObvious(process.env.REDIS_URL ?? ''))
serve({})
