import type { OrderEvent } from '@placeorder/events'
// @ts-expect-error It is installed where this module is used: npm install kafkajs
import kafkajs from 'kafkajs'

// A sink as a module: produces each event to a topic of Kafka, keyed by its paymentId, and resolves
// once all replicas that are in sync have it. The header `id` is by what consumers handle it once.

const brokers = ['127.0.0.1:9092']
const topic = 'orders'

const kafka = new kafkajs.Kafka({ clientId: 'placeorder', brokers })
const producer = kafka.producer({ idempotent: true })
const open: { connected?: Promise<void> | undefined } = {}

export default async function toKafka(events: readonly OrderEvent[]): Promise<void> {
  open.connected ??= producer.connect()
  try {
    await open.connected
  } catch (error) {
    open.connected = undefined // The next event tries again.
    throw error
  }
  await producer.send({
    topic,
    acks: -1,
    messages: events.map((event) => ({
      key: event.subject,
      value: JSON.stringify(event),
      headers: { 'content-type': 'application/cloudevents+json', id: event.id },
    })),
  })
}

export const close = async (): Promise<void> => {
  open.connected = undefined // An event that comes after all connects again.
  await producer.disconnect()
}
