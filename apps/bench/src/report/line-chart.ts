/** A line through points with x and y above 0. */
export type Line = { name: string; points: readonly (readonly [x: number, y: number])[] }

/** A chart whose axes are both logarithmic, so that small loads are seen as well as large ones. */
export type LineChart = { title: string; xLabel: string; lines: readonly Line[] }

const WIDTH = 440
const HEIGHT = 300
/** Around the plotted area. */
const MARGIN = { left: 52, right: 16, top: 34, bottom: 44 }
/** The legend stands below the charts: a name takes its letters' width and that of its line. */
const LEGEND = { height: 24, letter: 6.2, line: 18, gap: 24 }
/** They differ in lightness, too, and are seen on white and on black. */
const colours = ['#d1495b', '#8c8c8c', '#b08a2e', '#3b82f6', '#2a9d6f', '#a66bd4']

/** For browsers that prefer dark pages, too. */
const STYLE = `
.paper { fill: #ffffff } .grid { stroke: #d0d7de } .title, .legend { fill: #1f2328 }
.axis { fill: #57606a }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 } .grid { stroke: #30363d } .title, .legend { fill: #e6edf3 }
  .axis { fill: #9198a1 }
}
`

/** Draws charts side by side, as SVG. A name has the same colour in all of them. */
export function chartsSvg(charts: readonly LineChart[]): string {
  const width = WIDTH * charts.length
  const height = HEIGHT + LEGEND.height
  const names = [...new Set(charts.flatMap(({ lines }) => lines.map(({ name }) => name)))]
  const drawn = charts.map(
    (chart, i) => `<g transform="translate(${i * WIDTH} 0)">\n${chartOf(chart, names)}\n</g>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<title>${escaped(charts.map(({ title }) => title).join('; '))}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...drawn,
    ...legendOf(names, width),
    '</svg>\n',
  ].join('\n')
}

function legendOf(names: readonly string[], width: number): string[] {
  const { letter, line, gap } = LEGEND
  const widths = names.map((name) => line + letter * name.length + gap)
  let x = (width + gap - widths.reduce((sum, one) => sum + one, 0)) / 2
  return names.map((name, i) => {
    const at = x.toFixed(1)
    x += widths[i] ?? 0
    return (
      `<g transform="translate(${at} ${HEIGHT + 8})">` +
      `<path d="M0 -4h${line}" stroke="${colourOf(name, names)}" stroke-width="3"/>` +
      `<text class="legend" x="${line + 6}">${escaped(name)}</text></g>`
    )
  })
}

const colourOf = (name: string, names: readonly string[]): string =>
  colours[names.indexOf(name) % colours.length] ?? 'grey'

function chartOf({ title, xLabel, lines }: LineChart, names: readonly string[]): string {
  const points = lines.flatMap((line) => line.points)
  const xs = [...new Set(points.map(([x]) => x))].toSorted((a, b) => a - b)
  const ys = stepsAround(points.map(([, y]) => y))
  const toX = scale(xs, MARGIN.left, WIDTH - MARGIN.right)
  const toY = scale(ys, HEIGHT - MARGIN.bottom, MARGIN.top)
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right]
  return [
    `<text class="title" x="${left}" y="16" font-size="13" font-weight="bold">` +
      `${escaped(title)}</text>`,
    ...ys.map(
      (y) =>
        `<path class="grid" d="M${left} ${toY(y)}H${right}"/>` +
        text(left - 6, Number(toY(y)) + 4, y.toLocaleString('en-US'), 'end'),
    ),
    ...xs.map((x) => text(toX(x), HEIGHT - MARGIN.bottom + 16, String(x), 'middle')),
    text((left + right) / 2, HEIGHT - 8, xLabel, 'middle'),
    ...lines.map(({ name, points }) => {
      const colour = colourOf(name, names)
      const path = points.map(([x, y]) => `${toX(x)} ${toY(y)}`).join('L')
      const dots = points.map(([x, y]) => `M${toX(x)} ${toY(y)}h0`).join('')
      return (
        `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
        `<path d="${dots}" stroke="${colour}" stroke-width="6" stroke-linecap="round"/>`
      )
    }),
  ].join('\n')
}

/** 1, 2, 5, 10, … from at most the least to at least the largest value. */
function stepsAround(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const steps: number[] = []
  for (let power = Math.floor(Math.log10(least)); 10 ** power < most; power += 1)
    steps.push(...[1, 2, 5, 10].map((digit) => digit * 10 ** power))
  const all = [...new Set(steps)]
  const from = all.findLastIndex((step) => step <= least)
  const to = all.findIndex((step) => step >= most)
  return all.slice(Math.max(0, from), to + 1)
}

function scale(steps: readonly number[], from: number, to: number): (value: number) => string {
  const [first, last] = [Math.log(steps[0] ?? 1), Math.log(steps.at(-1) ?? 1)]
  const span = last - first || 1
  return (value) => (from + ((Math.log(value) - first) / span) * (to - from)).toFixed(1)
}

const text = (x: number | string, y: number, words: string, anchor: string): string =>
  `<text class="axis" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(words)}</text>`

const escaped = (words: string): string => words.replace(/&/g, '&amp;').replace(/</g, '&lt;')
