/** A line through points with x and y above 0. */
export type Line = { name: string; points: readonly (readonly [x: number, y: number])[] }

/** A chart whose axes are both logarithmic, so that small loads are seen as well as large ones. */
export type LineChart = { title: string; xLabel: string; lines: readonly Line[] }

const WIDTH = 440
const HEIGHT = 300
/** Around the plotted area. */
const MARGIN = { left: 52, right: 16, top: 34, bottom: 44 }
const colours = ['#1f6feb', '#d1242f', '#1a7f37', '#9a6700', '#8250df', '#57606a']

/** Draws charts side by side, as SVG. */
export function chartsSvg(charts: readonly LineChart[]): string {
  const width = WIDTH * charts.length
  const drawn = charts.map(
    (chart, i) => `<g transform="translate(${i * WIDTH} 0)">\n${chartOf(chart)}\n</g>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" ` +
      `width="${width}" height="${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<rect width="${width}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function chartOf({ title, xLabel, lines }: LineChart): string {
  const points = lines.flatMap((line) => line.points)
  const xs = [...new Set(points.map(([x]) => x))].toSorted((a, b) => a - b)
  const ys = stepsAround(points.map(([, y]) => y))
  const toX = scale(xs, MARGIN.left, WIDTH - MARGIN.right)
  const toY = scale(ys, HEIGHT - MARGIN.bottom, MARGIN.top)
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right]
  return [
    `<text x="${left}" y="16" font-size="13" font-weight="bold">${escaped(title)}</text>`,
    ...ys.map(
      (y) =>
        `<path d="M${left} ${toY(y)}H${right}" stroke="#d0d7de"/>` +
        text(left - 6, Number(toY(y)) + 4, y.toLocaleString('en-US'), 'end'),
    ),
    ...xs.map((x) => text(toX(x), HEIGHT - MARGIN.bottom + 16, String(x), 'middle')),
    text((left + right) / 2, HEIGHT - 8, xLabel, 'middle'),
    ...lines.map(({ name, points }, i) => {
      const colour = colours[i % colours.length] ?? 'black'
      const path = points.map(([x, y]) => `${toX(x)} ${toY(y)}`).join('L')
      return (
        `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>` +
        `<text x="${left + 8}" y="${MARGIN.top + 14 * (i + 1)}" fill="${colour}">` +
        `${escaped(name)}</text>`
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
  `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#57606a">${escaped(words)}</text>`

const escaped = (words: string): string => words.replace(/&/g, '&amp;').replace(/</g, '&lt;')
