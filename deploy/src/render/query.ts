import { z } from 'zod'

/** A line: what it is called, and its value at each of the picture's times, in order; null where there is none. */
export type Line = { name: string; values: (number | null)[] }

/** From when to when (s since 1970), and how many seconds lie between two points. */
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

/** How long a rate looks back in a picture; Grafana works it out from the width of the panel. */
const RATE_INTERVAL = '20s'

/** The times of a picture's points, in s since 1970. */
export const timesOf = ({ from, to, stepS }: Span): number[] =>
  Array.from({ length: Math.floor((to - from) / stepS) + 1 }, (_, at) => from + at * stepS)

/**
 * Asks Prometheus for the lines of one of the dashboard's queries.
 *
 * @throws when Prometheus does not answer, or does not understand the expression
 */
export async function linesOf(
  prometheus: string,
  { expr, legendFormat }: { expr: string; legendFormat: string },
  span: Span,
): Promise<Line[]> {
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

/** JSON has no NaN: a share of nothing is no value. */
const finite = (value: number | undefined): number | null =>
  value === undefined || !Number.isFinite(value) ? null : value
