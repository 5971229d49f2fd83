import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type RunningApp,
  type System,
  signedCall,
} from '@placeorder/testkit'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { helmOf, helms, render } from './helm.ts'

/** Orders a second: twice what a worker decides with the check below, and half of what five do. */
const LOAD = 30

/** A worker has six connections to a service that takes 300 ms for each order. */
const slowCheck = `
  import { setTimeout as wait } from 'node:timers/promises'
  const waiting = []
  let free = 6
  export default async () => {
    if (free > 0) free -= 1
    else await new Promise((go) => waiting.push(go))
    await wait(300)
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
    return 'SUCCESS'
  }`

const Trigger = z.object({
  metadata: z.object({ query: z.string(), threshold: z.coerce.number() }),
})
const ScaledObject = z.object({
  kind: z.literal('ScaledObject'),
  spec: z.object({ triggers: z.tuple([Trigger]) }),
})

/** What KEDA asks Prometheus, by the chart, and the value past which it starts workers. */
async function scaledBy() {
  const manifests = await render(await helmOf(helms[0] ?? 'installed'))
  const [found] = manifests.flatMap((one) => ScaledObject.safeParse(one).data ?? [])
  const { metadata } = found?.spec.triggers[0] ?? Trigger.parse({})
  // Scraped each second in place of each five, so that all of its times are a fifth.
  const query = metadata.query.replace(/\b(\d+)s(?=[:\]])/g, (_, s) => `${Number(s) / 5}s`)
  return { query, threshold: metadata.threshold }
}

/** A Prometheus that scrapes processes each second; `newest` gives the newest value of a query. */
async function startPrometheus(dir: string) {
  const file = join(dir, 'prometheus.json') // JSON is YAML too.
  const targetsFile = join(dir, 'targets.json')
  const scrape = async (processes: RunningApp[]) => {
    const targets = processes.map(({ admin }) => new URL(admin).host)
    await writeFile(
      `${targetsFile}.new`,
      JSON.stringify([{ targets, labels: { namespace: 'default' } }]),
    )
    await rename(`${targetsFile}.new`, targetsFile)
  }
  await scrape([])
  const file_sd_configs = [{ files: [targetsFile], refresh_interval: '1s' }]
  const scrape_configs = [{ job_name: 'placeorder', file_sd_configs }]
  await writeFile(file, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs }))
  const address = `127.0.0.1:${await freePort()}`
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(dir, 'tsdb')}`]
  const prometheus = spawn('prometheus', [...args, `--web.listen-address=${address}`], {
    stdio: 'ignore',
  })
  const ended = once(prometheus, 'exit')
  onTestFinished(async () => {
    prometheus.kill('SIGKILL')
    await ended
  })
  const Reply = z.object({
    data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
  })
  const newest = async (query: string): Promise<number> => {
    const body = new URLSearchParams({ query })
    const reply = await fetch(`http://${address}/api/v1/query`, { method: 'POST', body })
    const [found] = Reply.parse(await reply.json()).data.result
    return Number(found?.value[1] ?? Number.NaN)
  }
  return { scrape, newest }
}

/** Has every order checked slowly. */
async function slowDown({ dir }: System): Promise<void> {
  const path = join(dir, 'policy.json')
  const policy = z.looseObject({}).parse(JSON.parse(await readFile(path, 'utf8')))
  const check = { name: 'slow', module: './slow.mjs', timeoutMs: 20_000, after: 'amount' }
  await writeFile(join(dir, 'slow.mjs'), slowCheck)
  await writeFile(path, JSON.stringify({ ...policy, checks: [check] }))
}

/** Places `LOAD` orders a second, until the test is over, whatever becomes of them. */
function startLoad({ origin }: Ingress, { caller }: System) {
  const url = `${origin}/aps/api/v1/payments/placeOrder`
  const codes: string[] = []
  const underway = new Set<Promise<unknown>>()
  const timer = setInterval(() => {
    const placed = signedCall(url, aPlaceOrder({ customerId: randomUUID() }), caller).then(
      ({ code }) => codes.push(code),
      () => codes.push('no answer'),
    )
    underway.add(placed)
    void placed.finally(() => underway.delete(placed))
  }, 1000 / LOAD)
  onTestFinished(async () => {
    clearInterval(timer)
    await Promise.all(underway)
  })
  /** The share of the orders of the last two seconds that were refused for their traffic. */
  return () => {
    const last = codes.slice(-2 * LOAD)
    return last.filter((code) => code === 'REQUEST_TRAFFIC_EXCEED_LIMIT').length / last.length
  }
}

test('with a slow check KEDA starts workers, and orders are no longer refused', {
  timeout: 180_000,
}, async () => {
  const { query, threshold } = await scaledBy()
  const system = await openSystem({ env: { CONCURRENCY: '1', CHECKS_MS: '20000' } })
  onTestFinished(() => system.close())
  await slowDown(system)
  const { scrape, newest } = await startPrometheus(system.dir)
  const [ingress, worker] = await Promise.all([system.startIngress(), system.startWorker()])
  await scrape([ingress, worker])
  const refused = startLoad(ingress, system)

  const tooMuch = await vi.waitUntil(
    async () => {
      const [waitMs, share] = [await newest(query).catch(() => 0), refused()]
      return waitMs > threshold && share > 0.2 && share
    },
    { timeout: 50_000, interval: 200 },
  )
  const others = await Promise.all([1, 2, 3, 4].map(() => system.startWorker()))
  await scrape([ingress, worker, ...others])
  await expect.poll(refused, { timeout: 50_000, interval: 200 }).toBeLessThan(tooMuch / 4)
  await expect.poll(() => newest(query), { timeout: 50_000 }).toBeLessThan(threshold)
})
