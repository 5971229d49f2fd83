import { createServer, type IncomingMessage } from 'node:http'
import { env } from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { Webhook } from 'standardwebhooks'

// A receiver of events: verifies them, and handles each exactly once however often it comes.
// WEBHOOK_SECRET=whsec_… node docs/examples/receiver.ts 4100 events.db

const BODY_BYTES_MAX = 4 * 2 ** 20

const [port = '4100', path = 'events.db'] = process.argv.slice(2)
const webhook = new Webhook(env.WEBHOOK_SECRET ?? '')
const database = new DatabaseSync(path, { timeout: 10_000 }) // Others may be reading it.
database.exec('PRAGMA synchronous = FULL')
database.exec('CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, event TEXT)')
const insert = database.prepare('INSERT OR IGNORE INTO events VALUES (?, ?)')

type OrderEvent = { id: string; type: string; subject: string; data: { paymentRequestId: string } }

/** Your own work for an event. It is part of the transaction that remembers the event. */
function handle({ type, subject, data }: OrderEvent): void {
  console.log(`${type} ${subject} ${data.paymentRequestId}`)
}

/** Remembers the events and handles those that are new: all of them, or none. */
function take(events: OrderEvent[]): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    for (const event of events)
      if (insert.run(event.id, JSON.stringify(event)).changes === 1) handle(event)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/** The status to answer: 2xx only once the events are kept, for they are not sent again then. */
async function receive(request: IncomingMessage): Promise<number> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    parts.push(part)
    bytes += part.length
    if (bytes > BODY_BYTES_MAX) return 413
  }
  const body = Buffer.concat(parts) // The signature is over these very bytes.
  try {
    webhook.verify(body, request.headers as Record<string, string>)
  } catch {
    return 401
  }
  const content: OrderEvent | OrderEvent[] = JSON.parse(body.toString())
  take(Array.isArray(content) ? content : [content])
  return 204
}

const server = createServer(async (request, response) => {
  const status = await receive(request).catch((error: unknown) => {
    console.error(error)
    return 500 // It is sent again.
  })
  response.writeHead(status).end()
})
server.listen(Number(port), '127.0.0.1', () => console.log('receiving'))
