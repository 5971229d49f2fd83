import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command as acceptance } from '../src/acceptance/command.ts'
import { command as load } from '../src/load/command.ts'
import { openBrowser, openPage } from './browser.ts'
import { wrongAcquirers } from './faulty-behaviours.ts'
import { makeKeys, writeKeys } from './keys.ts'
import { recorder } from './recorder.ts'
import { SmallAcquirer } from './small-acquirer.ts'

// PICTURES=1 takes the pictures in docs/ anew.
const pictures =
  process.env.PICTURES === undefined ? undefined : join(import.meta.dirname, '../../../docs')

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

const whoAt = (acquirer: SmallAcquirer) => [
  '--url',
  acquirer.url.href,
  '--key',
  files.key,
  '--server-key',
  files.serverKey,
]

/** An acquirer that is wrong in two ways: its report has something to tell. */
async function wrongAcquirer(): Promise<SmallAcquirer> {
  const wrong = ['does not compare paymentAmount', 'does not sign refusals']
  const ways = Object.assign(
    {},
    ...wrongAcquirers.filter(({ what }) => wrong.includes(what)).map(({ ways }) => ways),
  )
  return new SmallAcquirer(keys, { ways }).listen()
}

describe('the report of acceptance, in Chromium', () => {
  let html: string
  let junit: string
  beforeAll(async () => {
    await using acquirer = await wrongAcquirer()
    const paths = { html: join(dir, 'acceptance.html'), junit: join(dir, 'acceptance.xml') }
    const args = [...whoAt(acquirer), '--html', paths.html, '--junit', paths.junit]
    expect(await acceptance.run(args, recorder().terminal)).toBe(1)
    html = await readFile(paths.html, 'utf8')
    junit = await readFile(paths.junit, 'utf8')
  })

  test.each(['light', 'dark'] as const)(
    'says at a glance what is wrong, in the %s',
    async (colorScheme) => {
      const { page, asked } = await openPage(browser, html, { colorScheme })
      expect(await page.locator('#verdict').textContent()).toBe('Breaks the contract in 2 cases')
      expect(await page.locator('.failures li').allTextContents()).toEqual([
        expect.stringMatching(/^idempotency\/changed-amount The wallet shows/),
        expect.stringMatching(/^answers\/refusals-signed Alipay\+ does not listen/),
      ])
      const red = (property: string) =>
        page.evaluate<number>(`Number(/\\d+/.exec(getComputedStyle(document.body).${property})[0])`)
      expect((await red('backgroundColor')) > (await red('color'))).toBe(colorScheme === 'light')
      expect(asked).toEqual([])
      await page.close()
    },
  )

  test('its filter leaves what failed, and a case that is opened shows requests and answers', async () => {
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
    if (pictures !== undefined)
      await page.screenshot({ path: join(pictures, 'acceptance-report.png') })
    await page.close()
  })

  test('fits a narrow screen', async () => {
    const { page } = await openPage(browser, html, { colorScheme: 'light', width: 400 })
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(400)
    await page.close()
  })

  test('its JUnit twin is well-formed', async () => {
    const { page } = await openPage(browser, '', { colorScheme: 'light' })
    const number = (of: string) =>
      page.evaluate(
        `new DOMParser().parseFromString(${JSON.stringify(junit)}, 'application/xml').querySelectorAll('${of}').length`,
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
    acquirer.behave = ({ kind, paymentId }) => {
      const kept = acquirer.orders.get(paymentId)
      if (kind === 'inquire' && kept?.outcome === 'PAYMENT_IN_PROCESS') kept.outcome = 'SUCCESS'
      const last = Number(paymentId.slice(-2))
      if (last === 41) return { code: 'PAYMENT_IN_PROCESS' }
      if (last === 77) return { code: 'RISK_REJECT' }
      return { delayMs: last % 7 === 0 ? 40 : last % 3 }
    }
    const report = join(dir, 'load.html')
    const seconds = pictures === undefined ? '2' : '30'
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
      [...whoAt(acquirer), ...rate, ...objectives, '--report', report],
      recorder().terminal,
    )
    html = await readFile(report, 'utf8')
  }, 90_000)

  test.each(['light', 'dark'] as const)(
    'says whether the objectives are met, with both plots, in the %s',
    async (colorScheme) => {
      const { page, asked } = await openPage(browser, html, { colorScheme })
      expect(await page.locator('#verdict').textContent()).toBe('Objectives missed')
      const objectives = await page
        .locator('section', { hasText: 'Objectives' })
        .locator('tr')
        .allTextContents()
      expect(objectives).toContainEqual(expect.stringMatching(/^latency p99≤ 5000 ms.*met$/))
      expect(objectives).toContainEqual(expect.stringMatching(/^share of U≤ 0\.1 %.*missed$/))
      expect(await page.locator('svg').count()).toBe(2)
      expect(await page.locator('svg polyline.p99').getAttribute('points')).toMatch(/^[\d. ,]+$/)
      expect(asked).toEqual([])
      if (pictures !== undefined && colorScheme === 'light')
        await page.screenshot({ path: join(pictures, 'load-report.png'), fullPage: true })
      await page.close()
    },
  )
})
