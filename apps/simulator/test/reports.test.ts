import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command as acceptance } from '../src/acceptance/command.ts'
import { command as load } from '../src/load/command.ts'
import { openBrowser, openPage } from './browser.ts'
import { faultyAcquirers } from './faulty-behaviours.ts'
import { makeKeys, writeKeys } from './keys.ts'
import { recorder } from './recorder.ts'
import { SmallAcquirer } from './small-acquirer.ts'

// SCREENSHOTS=1 renews the screenshots in docs/.
const screenshots =
  process.env.SCREENSHOTS === undefined ? undefined : join(import.meta.dirname, '../../../docs')

const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let browser: Browser
let dir: string
beforeAll(async () => {
  files = await writeKeys(keys)
  dir = await mkdtemp(join(tmpdir(), 'reports-'))
  browser = await openBrowser()
})
afterAll(async () => {
  await browser.close()
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

const callerArgs = (acquirer: SmallAcquirer) => [
  '--url',
  acquirer.url.href,
  '--key',
  files.key,
  '--server-key',
  files.serverKey,
]

/** An acquirer with two faults, so that its report has failures. */
async function acquirerWithFaults(): Promise<SmallAcquirer> {
  const faults = ['does not compare paymentAmount', 'does not sign refusals']
  const behaviours = Object.assign(
    {},
    ...faultyAcquirers
      .filter(({ what }) => faults.includes(what))
      .map(({ behaviours }) => behaviours),
  )
  return new SmallAcquirer(keys, { behaviours }).listen()
}

describe('the report of acceptance, in Chromium', () => {
  let html: string
  let junit: string
  beforeAll(async () => {
    await using acquirer = await acquirerWithFaults()
    const paths = { html: join(dir, 'acceptance.html'), junit: join(dir, 'acceptance.xml') }
    const args = [...callerArgs(acquirer), '--html', paths.html, '--junit', paths.junit]
    expect(await acceptance.run(args, recorder().terminal)).toBe(1)
    html = await readFile(paths.html, 'utf8')
    junit = await readFile(paths.junit, 'utf8')
  })

  test.each(['light', 'dark'] as const)('shows the failures on top, %s', async (colorScheme) => {
    const { page, requested } = await openPage(browser, html, { colorScheme })
    expect(await page.locator('#verdict').textContent()).toBe('Breaks the contract in 2 cases')
    expect(await page.locator('.failures li').allTextContents()).toEqual([
      expect.stringMatching(/^idempotency\/changed-amount The wallet shows/),
      expect.stringMatching(/^answers\/refusals-signed Alipay\+ ignores/),
    ])
    const red = (property: string) =>
      page.evaluate<number>(`Number(/\\d+/.exec(getComputedStyle(document.body).${property})[0])`)
    expect((await red('backgroundColor')) > (await red('color'))).toBe(colorScheme === 'light')
    expect(requested).toEqual([])
    await page.close()
  })

  test('the filter keeps the failures, and an opened case shows requests and answers', async () => {
    const { page } = await openPage(browser, html, { colorScheme: 'light' })
    const shown = () => page.locator('details.case:visible').count()
    expect(await shown()).toBeGreaterThan(250)
    await page.getByText('Failed 2').click()
    expect(await shown()).toBe(2)
    expect(await page.locator('section:visible h2').allTextContents()).toEqual([
      'Idempotency',
      'Every answer',
    ])
    await page.locator('summary', { hasText: 'changed-amount' }).click()
    const opened = page.locator('details[open]')
    expect(await opened.locator('dd').allTextContents()).toEqual(
      expect.arrayContaining(['REPEAT_REQ_INCONSISTENT', 'SUCCESS', 'placeOrder.txt, paymentId']),
    )
    expect(await opened.locator('pre').allTextContents()).toEqual([
      expect.stringMatching(/^POST \/aps.*\nClient-Id: SANDBOX.*"value":"100"/s),
      expect.stringMatching(/^HTTP 200 after .*\nresponse-time: .*SUCCESS/s),
      expect.stringMatching(/^POST \/aps.*\nClient-Id: SANDBOX.*"value":"101"/s),
      expect.stringMatching(/^HTTP 200 after .*\nresponse-time: .*SUCCESS/s),
    ])
    if (screenshots !== undefined)
      await page.screenshot({ path: join(screenshots, 'acceptance-report.png') })
    await page.close()
  })

  test('fits a narrow screen', async () => {
    const { page } = await openPage(browser, html, { colorScheme: 'light', width: 400 })
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(400)
    await page.close()
  })

  test('the JUnit report of the same run is well-formed', async () => {
    const { page } = await openPage(browser, '', { colorScheme: 'light' })
    const number = (of: string) =>
      page.evaluate(
        `new DOMParser().parseFromString(${JSON.stringify(junit)}, 'application/xml')` +
          `.querySelectorAll('${of}').length`,
      )
    const counted = {
      errors: await number('parsererror'),
      failures: await number('testcase > failure'),
      suites: await number('testsuite'),
    }
    expect(counted).toEqual({ errors: 0, failures: 2, suites: 12 })
    await page.close()
  })
})

describe('the report of a load, in Chromium', () => {
  let html: string
  beforeAll(async () => {
    await using acquirer = await new SmallAcquirer(keys).listen()
    acquirer.override = ({ kind, paymentId }) => {
      const stored = acquirer.orders.get(paymentId)
      if (kind === 'inquire' && stored?.outcome === 'PAYMENT_IN_PROCESS') stored.outcome = 'SUCCESS'
      const last = Number(paymentId.slice(-2))
      if (last === 41) return { code: 'PAYMENT_IN_PROCESS' }
      if (last === 77) return { code: 'RISK_REJECT' }
      return { delayMs: last % 7 === 0 ? 40 : last % 3 }
    }
    const report = join(dir, 'load.html')
    const seconds = screenshots === undefined ? '2' : '30'
    const rate = [
      '--rate',
      '100',
      '--duration',
      seconds,
      '--connections',
      '10',
      '--time-factor',
      '0.001',
    ]
    const objectives = ['--p99', '5000', '--u-share', '0.001']
    await load.run(
      [...callerArgs(acquirer), ...rate, ...objectives, '--report', report],
      recorder().terminal,
    )
    html = await readFile(report, 'utf8')
  }, 90_000)

  test.each(['light', 'dark'] as const)(
    'shows the verdict, the objectives and both plots, %s',
    async (colorScheme) => {
      const { page, requested } = await openPage(browser, html, { colorScheme })
      expect(await page.locator('#verdict').textContent()).toBe('Objectives missed')
      const objectives = await page
        .locator('section', { hasText: 'Objectives' })
        .locator('tr')
        .allTextContents()
      expect(objectives).toContainEqual(expect.stringMatching(/^latency p99≤ 5000 ms.*met$/))
      expect(objectives).toContainEqual(expect.stringMatching(/^share of U≤ 0\.1 %.*missed$/))
      expect(await page.locator('svg').count()).toBe(2)
      expect(await page.locator('svg polyline.p99').getAttribute('points')).toMatch(/^[\d. ,]+$/)
      expect(requested).toEqual([])
      if (screenshots !== undefined && colorScheme === 'light')
        await page.screenshot({ path: join(screenshots, 'load-report.png'), fullPage: true })
      await page.close()
    },
  )
})
