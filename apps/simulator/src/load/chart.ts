import type { AnswerStatus, Bucket } from './tally.ts'

const WIDTH = 860
const HEIGHT = 240
/** Margins for the labels of the axes, in units of the plot. */
const left = 64
const bottom = 28
const top = 12
const plotWidth = WIDTH - left - 12
const plotHeight = HEIGHT - bottom - top

/** From the axis up: S first. */
const stacked: readonly AnswerStatus[] = ['S', 'F', 'U', 'LOST']

/** Answers a second over time, stacked by result status. */
export function throughputChart(buckets: readonly Bucket[], bucketS: number): string {
  const perSecond = (count: number) => count / bucketS
  const highest = Math.max(
    1,
    ...buckets.map(({ count }) =>
      perSecond(stacked.reduce((sum, status) => sum + count[status], 0)),
    ),
  )
  const ceiling = roundUp(highest)
  const y = (value: number) => top + plotHeight * (1 - value / ceiling)
  const step = plotWidth / Math.max(1, buckets.length)
  const bars = buckets.map(({ fromS, count }, at) => {
    let sum = 0
    const parts = stacked.map((status) => {
      const from = y(perSecond(sum))
      sum += count[status]
      const to = y(perSecond(sum))
      if (from <= to) return ''
      const place = `x="${n(left + at * step)}" y="${n(to)}"`
      const size = `width="${n(Math.max(step - 1, 0.5))}" height="${n(from - to)}"`
      return `<rect class="${status}" ${place} ${size}/>`
    })
    const counts = stacked.map((status) => `${statusNames[status]} ${count[status]}`)
    return `<g><title>${fromS} s: ${counts.join(', ')}</title>${parts.join('')}</g>`
  })
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => ({
    at: y(part * ceiling),
    text: `${n(part * ceiling)}`,
  }))
  return plot('Answers a second over time', ticks, buckets, bucketS, bars.join(''))
}

export const statusNames: Readonly<Record<AnswerStatus, string>> = {
  S: 'S',
  F: 'F',
  U: 'U',
  LOST: 'no answer',
}

const lines = ['max', 'p99', 'p50'] as const

/** Latencies over time on a logarithmic scale, in ms, as measured. */
export function latencyChart(buckets: readonly Bucket[], bucketS: number): string {
  const values = buckets.flatMap(({ p50, max }) => [p50, max]).filter((value) => value !== null)
  const low = Math.floor(Math.log10(Math.max(0.1, Math.min(...values, 1000))))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1, ...values))))
  const y = (value: number) =>
    top + plotHeight * (1 - (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low))
  const step = plotWidth / Math.max(1, buckets.length)
  const drawn = lines.map((name) => {
    const points = buckets.flatMap((bucket, at) => {
      const value = bucket[name]
      return value === null ? [] : [`${n(left + (at + 0.5) * step)},${n(y(value))}`]
    })
    return `<polyline class="${name}" points="${points.join(' ')}"/>`
  })
  const hovers = buckets.map((bucket, at) => {
    const text = lines.map((name) => `${name} ${bucket[name]?.toFixed(1) ?? '–'} ms`).join(', ')
    const place = `x="${n(left + at * step)}" y="${top}" width="${n(step)}" height="${plotHeight}"`
    return `<rect class="hover" ${place}><title>${bucket.fromS} s: ${text}</title></rect>`
  })
  const ticks = Array.from({ length: high - low + 1 }, (_, at) => ({
    at: y(10 ** (low + at)),
    text: `${n(10 ** (low + at))}`,
  }))
  return plot('Latency over time', ticks, buckets, bucketS, drawn.join('') + hovers.join(''))
}

/** Seconds between two labels of the time axis, and how many labels fit. */
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600]
const TIMES_MAX = 8

type Tick = { at: number; text: string }

function plot(
  title: string,
  ticks: readonly Tick[],
  buckets: readonly Bucket[],
  bucketS: number,
  body: string,
): string {
  const grid = ticks.map(
    ({ at, text }) =>
      `<line class="grid" x1="${left}" x2="${left + plotWidth}" y1="${n(at)}" y2="${n(at)}"/>` +
      `<text x="${left - 8}" y="${n(at + 4)}" text-anchor="end">${text}</text>`,
  )
  const seconds = buckets.length * bucketS
  const step = timeSteps.find((candidate) => candidate * TIMES_MAX >= seconds) ?? seconds
  const times = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, at) => {
    const x = left + (at * step * plotWidth) / seconds
    return `<text x="${n(x)}" y="${HEIGHT - 8}" text-anchor="middle">${n(at * step)} s</text>`
  })
  return (
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">` +
    `${grid.join('')}${times.join('')}${body}</svg>`
  )
}

/** Rounds up to 1, 2, 4, 5 or 8 times a power of ten, whose quarters are short numbers. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 5, 8, 10].find((factor) => factor * power >= value) ?? 10) * power
}

/** A number with at most two decimals. */
const n = (value: number): string => `${Number(value.toFixed(2))}`
