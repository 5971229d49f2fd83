import { serveClosedLoop } from '../drivers/closed-loop.ts'
import { openBee } from './bee.ts'

serveClosedLoop(await openBee(process.env.REDIS_URL ?? ''))
