// @ts-expect-error They are installed where this module is used: npm install @nats-io/jetstream
import { jetstream } from '@nats-io/jetstream'
// @ts-expect-error And: npm install @nats-io/transport-node
import { connect } from '@nats-io/transport-node'
import type { OrderEvent } from '@placeorder/events'

// A sink as a module: publishes each event to JetStream of NATS, on `order.placed` and so on, and
// resolves once the stream has it. A stream drops what comes twice within its duplicate window,
// since the id of a message is that of its event.

const servers = ['127.0.0.1:4222']

const open: { connection?: ReturnType<typeof connect> | undefined } = {}

export default async function toNats(events: readonly OrderEvent[]): Promise<void> {
  open.connection ??= connect({ servers, name: 'placeorder' })
  const connection = await open.connection.catch((error: unknown) => {
    open.connection = undefined // The next event tries again.
    throw error
  })
  const js = jetstream(connection)
  await Promise.all(
    events.map((event) => js.publish(event.type, JSON.stringify(event), { msgID: event.id })),
  )
}

export const close = async (): Promise<void> => {
  const { connection } = open
  open.connection = undefined // An event that comes after all connects again.
  await (await connection)?.drain()
}
