import type { Mutant } from '../mutant.ts'

const delivery = (title: string): Mutant['test'] => [
  'apps/notifier',
  'test/delivery.test.ts',
  title,
]
const webhookTest: Mutant['test'] = ['packages/events', 'src/sinks/webhook.test.ts']
const eventTest: Mutant['test'] = ['packages/events', 'src/event.test.ts']
const sender = 'apps/notifier/src/shard-sender.ts'
const webhook = 'packages/events/src/sinks/webhook.ts'
const endpoint = 'packages/events/src/sinks/endpoint.ts'

/** Delivering the events of outcomes. */
export const events: Mutant[] = [
  {
    breaks: 'a notifier acknowledges before it delivers',
    file: sender,
    from: 'const { sent, isHeld } = await this.#send(unit)\n',
    to: 'this.#reader.settle(unit)\n    const { sent, isHeld } = await this.#send(unit)\n',
    test: delivery('an event is acknowledged once it is answered'),
  },
  {
    breaks: 'what a notifier that died had is not taken over',
    file: 'apps/notifier/src/entry-reader.ts',
    from: 'this.#note(source, await group.takeOver(',
    to: 'this.#note(source, [], await group.takeOver(',
    test: delivery('what a notifier that died had is delivered by another'),
  },
  {
    breaks: 'a notifier that takes over skips an entry',
    file: 'apps/notifier/src/entry-reader.ts',
    from: 'await group.takeOver(this.#deps.consumer, TAKE_OVER_IDLE_MS, READ_ENTRIES))',
    to: '(await group.takeOver(this.#deps.consumer, TAKE_OVER_IDLE_MS, READ_ENTRIES)).slice(1))',
    test: delivery('what a notifier that died had is delivered by another'),
  },
  {
    breaks: 'an entry is acknowledged when the first of its events is delivered',
    file: 'apps/notifier/src/entry-reader.ts',
    from: 'entry.left -= 1',
    to: 'entry.left = 0',
    test: delivery('an event is acknowledged once it is answered'),
  },
  {
    breaks: 'an event has another id each time it is sent',
    file: 'packages/events/src/event.ts',
    from: 'JSON.stringify([acquirerId, paymentId, type])',
    to: 'JSON.stringify([acquirerId, paymentId, type, performance.now()])',
    test: eventTest,
  },
  {
    breaks: 'what no replica has is delivered',
    file: 'apps/notifier/src/outcomes.ts',
    from: 'if (!(await Promise.all(fences)).every(Boolean))',
    to: 'if ((await Promise.all(fences)).length < 0)',
    test: [
      'apps/notifier',
      'test/replicas.test.ts',
      'what a replica that is cut off lacks is delivered once it is back',
    ],
  },
  {
    breaks: 'an entry with the id of one that was lost with its master is not delivered',
    file: 'apps/notifier/src/entry-reader.ts',
    from: '[source, id, digest].join()',
    to: '[source, id].join()',
    test: ['apps/notifier', 'test/failover.test.ts'],
  },
  {
    breaks: 'an order that was lost with its master gets a job for its event',
    file: 'apps/notifier/src/build-events.ts',
    from: 'if (lost.has(entry)) return undefined',
    to: '',
    test: ['apps/notifier', 'test/failover.test.ts'],
  },
  {
    breaks: 'an entry is acknowledged though no replica has the job for its event',
    file: 'apps/notifier/src/shard-sender.ts',
    from: 'if (!(await jobs.replicated(ids, store.durability)))',
    to: 'if (ids.length < 0)',
    test: ['apps/notifier', 'test/failover.test.ts'],
  },
  {
    breaks: 'a dead letter is not kept',
    file: 'packages/store/src/queue/sink-jobs.ts',
    from: '  removeOnComplete: true,\n',
    to: '  removeOnComplete: true,\n  removeOnFail: true,\n',
    test: ['apps/operator', 'src/events/command.test.ts', 'tries a dead letter again'],
  },
  {
    breaks: 'an endpoint that is down makes a job for each event',
    file: sender,
    from: "if (sent.kind === 'gone' || isHeld) return",
    to: "if (sent.kind === 'gone') return",
    test: delivery('a receiver that is down gets no job for each event'),
  },
  {
    breaks: 'a batch that is refused is given up as a whole',
    file: sender,
    from: '    if (unit.length > 1) return this.#deliverEach(unit)\n',
    to: '',
    test: delivery('a batch that is refused is sent again one by one'),
  },
  {
    breaks: 'a clock that is ahead drops what a sink holds',
    file: 'packages/store/src/lua/drop-held.lua',
    from: "if ARGV[4] ~= '0' then",
    to: 'if false then',
    test: delivery('a notifier whose clock is a year ahead drops nothing'),
  },
  {
    breaks: 'what a notifier took while a clock was ahead stays with it for as long',
    file: 'packages/store/src/queue/sink-jobs.ts',
    from: 'await this.#shortenExpiries()',
    to: 'void this.#shortenExpiries',
    test: ['packages/store', 'src/queue/sink-jobs.test.ts'],
  },
  {
    breaks: 'a webhook goes to an address that is not public',
    file: endpoint,
    from: 'if (bad !== undefined) done(',
    to: 'if (bad?.address === undefined && bad !== undefined) done(',
    test: webhookTest,
  },
  {
    breaks: 'a name is resolved once, and its addresses are not checked again',
    file: endpoint,
    from: `resolve(hostname).finally(() => {
      looking = undefined
    })`,
    to: 'resolve(hostname)',
    test: webhookTest,
  },
  {
    breaks: 'a webhook is signed over another timestamp than it is sent with',
    file: webhook,
    from: 'signer.sign(id, at, body)',
    to: 'signer.sign(id, new Date(at.getTime() + 1_000), body)',
    test: webhookTest,
  },
  {
    breaks: 'a redirect counts as delivered',
    file: webhook,
    from: 'if (status >= 200 && status < 300)',
    to: 'if (status >= 200 && status < 400)',
    test: webhookTest,
  },
  {
    breaks: 'every sink is sent what is personal',
    file: 'packages/events/src/event.ts',
    from: 'full && personal !== undefined',
    to: 'personal !== undefined',
    test: eventTest,
  },
  {
    breaks: 'whoever pulls is not warned that events are gone',
    file: 'apps/notifier/src/pull/pull.ts',
    from: 'if (reason !== undefined)\n      return',
    to: "if (reason === '')\n      return",
    test: ['apps/notifier', 'test/pull.test.ts'],
  },
]
