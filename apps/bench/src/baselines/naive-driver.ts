import { serveClosedLoop } from '../drivers/closed-loop.ts'
import { openNaive } from './naive.ts'

serveClosedLoop(await openNaive(process.env.REDIS_URL ?? ''))
