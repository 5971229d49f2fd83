import { describe, expect, test, vi } from 'vitest'
import { openReplicatedSystem, openSink, untilHeldBack, within } from './replicated.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Holds notifiers back before their next turn, until it is opened. */
class Gate {
  #opened = Promise.resolve()
  open: () => void = () => {}

  close(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#opened = promise
    this.open = resolve
  }

  readonly passed = (): Promise<void> => this.#opened
}

describe('after a failover', async () => {
  const { conclude, notify, connection, store, link, failOver, addReplica } =
    await openReplicatedSystem()

  test('an entry with the id of one that was lost is delivered', async () => {
    const { receiver, sink } = await openSink()
    const gate = new Gate()
    const { noted } = await notify([sink], { passed: gate.passed })
    // While the clock of Redis is behind the last id, the next one only counts up.
    await connection.call('XSETID', '{s0}:outbox', `${Date.now() + 86_400_000}-0`)
    const [first] = await conclude()
    await vi.waitFor(() => expect(receiver.delivered()).toContain(first), within)
    link.blackHole()
    const [lost] = await conclude()
    const { last } = await store.streams.extent(0)
    await untilHeldBack(noted)
    gate.close()
    await failOver()
    const [other] = await vi.waitFor(() => conclude(), within)
    expect((await store.streams.extent(0)).last).toBe(last)
    await addReplica()
    gate.open()
    await vi.waitFor(() => expect(receiver.delivered()).toContain(other), within)
    expect(receiver.delivered()).not.toContain(lost)
    const jobs = store.jobsOf(0, sink.name)
    expect(await jobs.counts()).toEqual({ waiting: 0, dead: 0 })
    await jobs.close()
  })
})

describe('where no replica is required', async () => {
  const { conclude, notify, connection, store, link, failOver } = await openReplicatedSystem({
    replicasMin: 0,
  })

  test('so is one that comes while the lost one is being sent', async () => {
    const { receiver, sink } = await openSink()
    await notify([sink])
    await connection.call('XSETID', '{s0}:outbox', `${Date.now() + 86_400_000}-0`)
    const sent = Promise.withResolvers<void>()
    const mayAnswer = Promise.withResolvers<void>()
    receiver.answer(() => async (_request, response) => {
      sent.resolve()
      await mayAnswer.promise
      response.writeHead(200).end()
    })
    link.blackHole()
    await conclude()
    await sent.promise
    const { last } = await store.streams.extent(0)
    await failOver()
    receiver.answer(() => 200)
    const [other] = await vi.waitFor(() => conclude(), within)
    expect((await store.streams.extent(0)).last).toBe(last)
    await vi.waitFor(() => expect(receiver.delivered()).toContain(other), within)
    mayAnswer.resolve()
  })
})

describe('before a failover', async () => {
  const { conclude, notify, link, failOver, addReplica } = await openReplicatedSystem()

  test('an event whose job no replica has yet is kept', async () => {
    const { receiver, sink } = await openSink()
    const gate = new Gate()
    receiver.answer(() => {
      gate.close()
      link.blackHole()
      return 400
    })
    const { noted } = await notify([sink], { passed: gate.passed })
    const [orderId] = await conclude()
    await untilHeldBack(noted)
    receiver.answer(() => 200)
    await failOver()
    await addReplica()
    gate.open()
    await vi.waitFor(() => expect(receiver.delivered()).toContain(orderId), within)
  })
})
