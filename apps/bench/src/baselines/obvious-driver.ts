import { serveClosedLoop } from '../drivers/closed-loop.ts'
import { openObvious } from './obvious.ts'

serveClosedLoop(await openObvious(process.env.REDIS_URL ?? ''))
