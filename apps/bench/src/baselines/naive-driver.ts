import { serveClosedLoop } from '../drivers/closed-loop.ts'
import { openObvious } from './naive.ts'

serveClosedLoop(await openObvious(process.env.REDIS_URL ?? ''))
