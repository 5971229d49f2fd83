// Runs in the page. Draws `shown` (see page.ts) on Grafana's grid of 24 columns with uPlot.

const { uPlot, shown } = { uPlot: globalThis.uPlot, shown: globalThis.shown }
const WIDTH = 1600
const ROW_PX = 34
const GAP_PX = 8
const palette = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#9adbd1',
  '#fade2a',
]
const colours = { green: '#73bf69', red: '#f2495c' }

const words = {
  s: (value) => (value < 1 ? `${tidy(value * 1000)} ms` : `${tidy(value)} s`),
  percentunit: (value) => `${tidy(value * 100)} %`,
  reqps: (value) => `${tidy(value)}/s`,
  bytes: (value) => `${tidy(value / 1_048_576)} MiB`,
  short: (value) => tidy(value),
}
const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8)
const tidy = (value) => `${Number(value.toPrecision(3))}`

for (const panel of shown.panels) {
  const { x, y, w, h } = panel.gridPos
  const box = document.createElement('section')
  box.className = panel.type
  const width = (w / 24) * WIDTH - GAP_PX
  const height = h * ROW_PX - GAP_PX
  const place = `left:${(x / 24) * WIDTH}px;top:${y * ROW_PX}px`
  box.style.cssText = `${place};width:${width}px;height:${height}px`
  const title = document.createElement('h2')
  title.textContent = panel.title
  box.append(title)
  document.querySelector('main').append(box)
  if (panel.type === 'stat') drawNumber(box, panel)
  if (panel.type === 'timeseries') drawLines(box, panel, width - 18, height - 62)
}

function drawNumber(box, { lines, unit, steps }) {
  const value = lines[0]?.values.findLast((one) => one !== null)
  const number = document.createElement('div')
  number.className = 'number'
  number.textContent = value === undefined ? 'no data' : words[unit](value)
  const step = steps.findLast(({ value: from }) => from === null || value >= from)
  number.style.color = value === undefined ? '#888' : colours[step.color]
  box.append(number)
}

function drawLines(box, { lines, unit, stacked }, width, height) {
  const sums = shown.times.map(() => 0)
  const drawn = stacked
    ? lines.map(({ values }) => values.map((value, at) => (sums[at] += value ?? 0)))
    : lines.map(({ values }) => values)
  const series = lines.map(({ name }, at) => ({
    label: name,
    stroke: palette[at % palette.length],
    width: 1.5,
    ...(stacked ? { fill: `${palette[at % palette.length]}66` } : {}),
    points: { show: false },
  }))
  const axis = {
    stroke: '#9fa7b3',
    grid: { stroke: '#2b2e35', width: 1 },
    ticks: { show: false },
    font: '11px DejaVu Sans',
  }
  const options = {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_chart, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 24, space: 90, values: (_chart, splits) => splits.map(clock) },
      { ...axis, size: 62, values: (_chart, splits) => splits.map((split) => words[unit](split)) },
    ],
    // A stack is painted from its top, so that each line's colour ends at the line below it.
    series: [{}, ...(stacked ? series.toReversed() : series)],
  }
  new uPlot(options, [shown.times, ...(stacked ? drawn.toReversed() : drawn)], box)
  const legend = document.createElement('div')
  legend.className = 'legend'
  for (const { label, stroke } of series) {
    const entry = document.createElement('span')
    const mark = document.createElement('i')
    mark.style.background = stroke
    entry.append(mark, label)
    legend.append(entry)
  }
  if (series.length === 0) legend.textContent = 'none'
  box.append(legend)
}
