import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { recorder } from '../../test/recorder.ts'
import { UsageError } from '../cli/command.ts'
import { command } from './command.ts'

const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const otherSecret = `whsec_${Buffer.alloc(32, 2).toString('base64')}`

const anEvent = (id: string) => ({
  specversion: '1.0',
  id,
  source: '/placeorder/A',
  type: 'order.placed',
  subject: `P-${id}`,
  data: { result: { resultCode: 'SUCCESS' } },
})

const running: { interrupt: () => Promise<number> }[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ interrupt }) => interrupt()))
})

/** Runs the command until it ends by itself or the test does. */
async function receive(...args: string[]) {
  const { terminal, out, err } = recorder()
  const ended = command.run(['--port', '0', '--secret', secret, ...args], terminal)
  let isRunning = true
  void ended.finally(() => {
    isRunning = false
  })
  // Without a listener of ours, others on this process would take it for the end of the tests.
  const interrupt = () => {
    if (isRunning) process.emit('SIGINT')
    return ended
  }
  running.push({ interrupt })
  const url = await vi.waitFor(() => {
    const [found] = /http:\S+\//.exec(err()) ?? []
    if (found === undefined) throw new Error('it does not listen yet')
    return found
  })
  return { url, out, err, ended, interrupt }
}

type Sending = { key?: string; at?: Date; signal?: AbortSignal }

/** Sends what a sink would: one event, or several as a batch. */
async function send(url: string, content: object, { key = secret, at, signal }: Sending = {}) {
  const body = JSON.stringify(content)
  const time = at ?? new Date()
  const isBatch = Array.isArray(content)
  return fetch(url, {
    method: 'POST',
    body,
    signal: signal ?? null,
    headers: {
      'content-type': `application/cloudevents${isBatch ? '-batch' : ''}+json; charset=UTF-8`,
      'webhook-id': 'msg-1',
      'webhook-timestamp': String(Math.floor(time.getTime() / 1000)),
      'webhook-signature': new Webhook(key).sign('msg-1', time, body),
    },
  })
}

const tenMinutesAgo = () => new Date(Date.now() - 600_000)

test('an event is verified and printed, and a repeat of it said to be one', async () => {
  const { url, out, interrupt } = await receive()
  expect((await send(url, anEvent('1'))).status).toBe(200)
  expect(out()).toMatch(/^200 {2}signature verified\n {2}order.placed {2}P-1 {2}SUCCESS\n/)
  expect(out()).toContain(JSON.stringify(anEvent('1')))
  expect(out()).not.toContain('a repeat')
  await send(url, anEvent('1'))
  expect(out()).toContain('P-1  SUCCESS  a repeat')
  expect(await interrupt()).toBe(0)
})

test('a batch is verified as a whole, and each of its events printed', async () => {
  const { url, out, err, ended } = await receive('--count', '2')
  expect((await send(url, [anEvent('1'), anEvent('2')])).status).toBe(200)
  expect(await ended).toBe(0)
  expect(out()).toContain('signature verified  a batch of 2')
  for (const subject of ['P-1', 'P-2']) expect(out()).toContain(`order.placed  ${subject}`)
  expect(err()).toContain('received 2 different events')
})

test.each([
  ['signed with another secret', { key: otherSecret }, 'No matching signature found'],
  ['of ten minutes ago', { at: tenMinutesAgo() }, 'Message timestamp too old'],
])('a request %s is refused, not shown, and the exit code 1', async (_what, how, reason) => {
  const { url, out, interrupt } = await receive()
  expect((await send(url, anEvent('1'), how)).status).toBe(401)
  expect(out()).toBe(`401  ${reason}\n`)
  expect(await interrupt()).toBe(1)
})

test('a request that is signed and not a CloudEvent is answered 400', async () => {
  const { url, out } = await receive()
  expect((await send(url, { id: 'a' })).status).toBe(400)
  expect(out()).toContain('is not a CloudEvent')
})

test('without a secret it makes one, and shows a sink that has it', async () => {
  const { terminal, err } = recorder()
  const ended = command.run(['--port', '0'], terminal)
  await vi.waitFor(() => expect(err()).toContain('"sinks"'))
  const [line = ''] = /^\{.*\}$/m.exec(err()) ?? []
  const [{ url, secrets }] = JSON.parse(line).sinks
  expect((await send(url, anEvent('1'), { key: secrets[0] })).status).toBe(200)
  process.emit('SIGINT')
  expect(await ended).toBe(0)
})

describe('it can be made to fail', () => {
  test.each([
    [['--fail'], 500, null],
    [['--answer', '410'], 410, null],
    [['--answer', '429', '--retry-after', '7'], 429, '7'],
    [['--fail', '--retry-after', '7'], 500, '7'],
  ])('with %j', async (args, status, retryAfter) => {
    const { url, out } = await receive(...args)
    for (const id of ['1', '2', '3']) {
      const response = await send(url, anEvent(id))
      expect(response.status).toBe(status)
      expect(response.headers.get('retry-after')).toBe(retryAfter)
    }
    expect(out().match(new RegExp(`^${status} {2}signature verified$`, 'gm'))).toHaveLength(3)
  })

  test('for the first requests only, which are not delivered then', async () => {
    const { url, ended } = await receive('--fail', '--first', '2', '--count', '1')
    expect((await send(url, anEvent('1'))).status).toBe(500)
    expect((await send(url, anEvent('1'))).status).toBe(500)
    expect((await send(url, anEvent('1'))).status).toBe(200)
    expect(await ended).toBe(0)
  })

  test('by not answering', async () => {
    const { url, out, interrupt } = await receive('--hang', '--first', '1')
    const giveUp = new AbortController()
    const hanging = send(url, anEvent('1'), { signal: giveUp.signal })
    await vi.waitFor(() => expect(out()).toMatch(/^HUNG {2}signature verified$/m))
    expect((await send(url, anEvent('1'))).status).toBe(200)
    const first = await Promise.race([hanging, wait(0, 'unanswered')])
    expect(first).toBe('unanswered')
    giveUp.abort()
    await expect(hanging).rejects.toThrow()
    expect(await interrupt()).toBe(0)
  })
})

test('--json prints each request as a line', async () => {
  const { url, out } = await receive('--json')
  await send(url, anEvent('1'))
  expect(JSON.parse(out())).toEqual({
    answered: 200,
    isTaken: true,
    isBatch: false,
    events: [{ event: anEvent('1'), isRepeat: false }],
  })
})

test.each([
  [['--fail', '--hang'], '--fail, --hang, --answer: only one of them'],
  [['--first', '2'], '--first: needs --fail, --hang or --answer'],
  [['--retry-after', '2'], '--retry-after: needs --fail or --answer'],
  [['--fail', '--first', '0'], '--first 0: must be between 1'],
  [['--answer', '99'], '--answer 99: must be between 200 and 599'],
  [['--secret', 'whsec_short'], '--secret: is not whsec_'],
])('%j is refused', async (args, message) => {
  const run = command.run(['--port', '0', ...args], recorder().terminal)
  await expect(run).rejects.toThrow(message)
  await expect(run).rejects.toThrow(UsageError)
})

test('a port that is taken is named', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const run = command.run(['--port', String(port)], recorder().terminal)
  await expect(run).rejects.toThrow(`--port ${port}: listen EADDRINUSE`)
  server.close()
})
