import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { type ChartLine, linesOf, type Span, timesOf } from './query.ts'

const { resolve } = createRequire(import.meta.url)
const uplot = dirname(resolve('uplot/package.json'))

/** The parts of a dashboard that are rendered; the others are for Grafana alone. */
const Dashboard = z.object({
  title: z.string(),
  panels: z.array(
    z.object({
      type: z.enum(['stat', 'timeseries', 'row']),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
      fieldConfig: z
        .object({
          defaults: z.object({
            unit: z.string(),
            thresholds: z.object({
              steps: z.array(z.object({ value: z.number().nullable(), color: z.string() })),
            }),
            custom: z.object({ stacking: z.object({ mode: z.string() }).optional() }).optional(),
          }),
        })
        .optional(),
    }),
  ),
})
type Panel = z.infer<typeof Dashboard>['panels'][number]

/** A panel with its data from Prometheus, as the page's script draws it. */
type Drawn = Omit<Panel, 'targets' | 'fieldConfig'> & {
  lines: ChartLine[]
  unit: string
  stacked: boolean
  steps: { value: number | null; color: string }[]
}

/** How many rows of the grid a dashboard has. */
export const rowsOf = (dashboardJson: string): number =>
  Math.max(
    ...Dashboard.parse(JSON.parse(dashboardJson)).panels.map(({ gridPos: { y, h } }) => y + h),
  )

/** Makes a page that draws a dashboard's panels for a span of time. */
export async function pageOf(
  dashboardJson: string,
  prometheus: string,
  span: Span,
): Promise<string> {
  const { title, panels } = Dashboard.parse(JSON.parse(dashboardJson))
  const drawn = await Promise.all(panels.map((panel) => drawnOf(panel, prometheus, span)))
  const [css, chart, draw, style] = await Promise.all([
    readFile(join(uplot, 'dist/uPlot.min.css'), 'utf8'),
    readFile(join(uplot, 'dist/uPlot.iife.min.js'), 'utf8'),
    readFile(join(import.meta.dirname, 'draw.js'), 'utf8'),
    readFile(join(import.meta.dirname, 'page.css'), 'utf8'),
  ])
  const data = JSON.stringify({ title, times: timesOf(span), panels: drawn }).replaceAll(
    '<',
    '\\u003c',
  )
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><style>${css}${style}</style>
<main></main><script>${chart}</script>
<script>globalThis.shown = ${data}</script>
<script type="module">${draw}</script>`
}

async function drawnOf(
  { type, title, gridPos, targets, fieldConfig }: Panel,
  prometheus: string,
  span: Span,
): Promise<Drawn> {
  const lines = await Promise.all(targets.map((target) => linesOf(prometheus, target, span)))
  const defaults = fieldConfig?.defaults
  return {
    type,
    title,
    gridPos,
    lines: lines.flat(),
    unit: defaults?.unit ?? 'short',
    stacked: defaults?.custom?.stacking?.mode === 'normal',
    steps: defaults?.thresholds.steps ?? [],
  }
}
