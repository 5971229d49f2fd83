import { createHash, timingSafeEqual } from 'node:crypto'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queues } from '@placeorder/store'
import type { Admin } from '@placeorder/telemetry'

export type BoardOptions = {
  queues: Pick<Queues, 'all'>
  /** The secret of its readers: a Bearer token, or the password of any user. */
  token: string
  /**
   * Whether jobs may be changed. This cannot harm an order: requeue replaces a job that is removed.
   */
  writes: boolean
}

const PREFIX = '/board'

/** Adds Bull Board, a view of the queues of all shards, to an admin server, before it listens. */
export function addBoard(
  { app }: Pick<Admin, 'app'>,
  { queues, token, writes }: BoardOptions,
): void {
  const pages = new FastifyAdapter()
  createBullBoard({
    queues: queues.all.map(
      (queue, shard) => new BullMQAdapter(queue, { prefix: `s${shard} `, readOnlyMode: !writes }),
    ),
    serverAdapter: pages,
    options: { uiConfig: { boardTitle: 'placeorder' } },
  })
  pages.setBasePath(PREFIX)
  app.register(async (board) => {
    board.addHook('onRequest', async ({ method, headers }, reply) => {
      if (!hasToken(headers.authorization, token))
        return reply
          .code(401)
          .header('www-authenticate', 'Basic realm="placeorder", charset="UTF-8"')
          .send()
      if (method === 'GET' || method === 'HEAD') return
      // A browser that knows the token would also send it with another site's form.
      const own = headers['sec-fetch-site'] ?? 'same-origin'
      if (!writes || own !== 'same-origin')
        return reply.code(403).send({ error: 'this board is read-only' })
    })
    await board.register(pages.registerPlugin(), { prefix: PREFIX })
  })
}

/** Whether an Authorization header has the token, in constant time. */
function hasToken(authorization: string | undefined, token: string): boolean {
  const [scheme = '', value = ''] = (authorization ?? '').split(' ')
  const basic = () =>
    Buffer.from(value, 'base64')
      .toString()
      .replace(/^[^:]*:/, '')
  const shown = scheme.toLowerCase() === 'basic' ? basic() : value
  return timingSafeEqual(digest(shown), digest(token))
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
