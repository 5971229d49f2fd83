import { z } from 'zod'

/**
 * A line of a chart: its name, and its value at each of the chart's times; null where there is
 * none.
 */
export type ChartLine = { name: string; values: (number | null)[] }

/** Start and end (s since 1970), and the seconds between two points. */
export type Span = { from: number; to: number; stepS: number }

const Reply = z.object({
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        values: z.array(z.tuple([z.number(), z.string()])),
      }),
    ),
  }),
})

/** The window of a rate; Grafana calculates it from the width of the panel. */
const RATE_INTERVAL = '20s'

/** The times of a chart's points (s since 1970). */
export const timesOf = ({ from, to, stepS }: Span): number[] =>
  Array.from({ length: Math.floor((to - from) / stepS) + 1 }, (_, at) => from + at * stepS)

/**
 * Queries Prometheus for the lines of one of the dashboard's expressions.
 *
 * @throws if Prometheus does not answer or cannot parse the expression
 */
export async function linesOf(
  prometheus: string,
  { expr, legendFormat }: { expr: string; legendFormat: string },
  span: Span,
): Promise<ChartLine[]> {
  const query = expr.replaceAll('$__rate_interval', RATE_INTERVAL)
  const url = `${prometheus}/api/v1/query_range?${new URLSearchParams({
    query,
    start: `${span.from}`,
    end: `${span.to}`,
    step: `${span.stepS}`,
  })}`
  const response = await fetch(url)
  if (!response.ok) throw new Error(`Prometheus does not answer ${query}: ${await response.text()}`)
  const { data } = Reply.parse(await response.json())
  const times = timesOf(span)
  return data.result.map(({ metric, values }) => {
    const known = new Map(values.map(([at, value]) => [Math.round(at), Number(value)]))
    return {
      name: legendFormat.replaceAll(/{{(\w+)}}/g, (_, label: string) => metric[label] ?? ''),
      values: times.map((at) => finite(known.get(Math.round(at)))),
    }
  })
}

/** JSON has no NaN: a ratio over zero has no value. */
const finite = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value
