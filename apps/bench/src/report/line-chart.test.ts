import { expect, test } from 'vitest'
import { chartsSvg } from './line-chart.ts'

const chart = {
  title: 'Latency & load',
  xLabel: 'in flight',
  lines: [
    {
      name: 'p50',
      points: [
        [1, 3],
        [10, 30],
        [100, 300],
      ] as const,
    },
  ],
}

test('a line through equal ratios is straight, and ends at the edges of the chart', () => {
  const [, path = ''] = /d="M([\d. L]+)" fill="none"/.exec(chartsSvg([chart])) ?? []
  const points = path.split('L').map((point) => point.split(' ').map(Number))
  const steps = points.slice(1).map(([x = 0, y = 0], i) => {
    const [beforeX = 0, beforeY = 0] = points[i] ?? []
    return (y - beforeY) / (x - beforeX)
  })
  expect(steps).toHaveLength(2)
  expect(steps[0]).toBeCloseTo(steps[1] ?? 0, 2)
  expect([points[0]?.[0], points.at(-1)?.[0]]).toEqual([52, 424])
})

test('steps of the axis are round numbers around all values, and text is escaped', () => {
  const svg = chartsSvg([chart])
  for (const step of ['2', '5', '10', '20', '50', '100', '200', '500'])
    expect(svg).toContain(`text-anchor="end">${step}<`)
  expect(svg).not.toContain('>1,000<')
  expect(svg).toContain('Latency &amp; load')
})

test('a name has the same colour in all charts, and stands in the legend once', () => {
  const svg = chartsSvg([chart, { ...chart, title: 'p50 and more', lines: chart.lines }])
  const colours = [...svg.matchAll(/fill="none" stroke="(#\w+)"/g)].map(([, colour]) => colour)
  expect(colours).toHaveLength(2)
  expect(new Set(colours).size).toBe(1)
  expect(svg.match(/class="legend"[^>]*>p50</g)).toHaveLength(1)
})
