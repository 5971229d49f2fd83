import { serve } from '../test-bed/serve.ts'
import { filesOf, serveSigned } from './signed-server.ts'

await serveSigned(filesOf(process.env), () => 'SUCCESS')
serve({})
