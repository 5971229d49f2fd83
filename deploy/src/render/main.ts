import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { pageOf, rowsOf } from './page.ts'

// Renders the dashboard's panels from a Prometheus' data, for the docs and for places without
// Grafana.
const { values } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    minutes: { type: 'string', default: '5' },
    out: { type: 'string', default: 'dashboard.png' },
    chromium: { type: 'string', default: 'chromium' },
  },
})

/** The width of draw.js's layout, and a row of its grid (px). */
const WIDTH = 1600
const ROW_PX = 34

/** How long Chromium may take to start and to render (ms). */
const CHROMIUM_MS_MAX = 60_000

const to = Math.floor(Date.now() / 1000)
const span = { from: to - Number(values.minutes) * 60, to, stepS: 2 }
const dashboard = await readFile(
  join(import.meta.dirname, '../../grafana/dashboards/placeorder.json'),
  'utf8',
)
const dir = await mkdtemp(join(tmpdir(), 'placeorder-render-'))
try {
  const page = join(dir, 'page.html')
  await writeFile(page, await pageOf(dashboard, values.prometheus, span))
  await promisify(execFile)(
    values.chromium,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--hide-scrollbars',
      `--user-data-dir=${join(dir, 'profile')}`,
      `--window-size=${WIDTH},${ROW_PX * rowsOf(dashboard)}`,
      `--screenshot=${resolve(values.out)}`,
      `file://${page}`,
    ],
    { timeout: CHROMIUM_MS_MAX },
  )
  console.log(`rendered ${values.out}`)
} finally {
  await rm(dir, { recursive: true, force: true })
}
