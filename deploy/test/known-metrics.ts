import { openMetrics } from '@placeorder/telemetry'

/** The suffixes of metric names in Prometheus, by type. */
const endings: Record<string, string[]> = { histogram: ['_bucket', '_count', '_sum'] }

/** Every metric of the processes, and `up`, which Prometheus adds itself. */
export async function knownMetrics(): Promise<Set<string>> {
  const names = ['ingress', 'worker', 'archiver', 'notifier'] as const
  const apps = names.map((name) => openMetrics(name))
  const metrics = (
    await Promise.all(apps.map(({ registry }) => registry.getMetricsAsJSON()))
  ).flat()
  return new Set([
    'up',
    ...metrics.flatMap(({ name, type }) =>
      (endings[String(type)] ?? ['']).map((end) => `${name}${end}`),
    ),
  ])
}

/** The names of metrics in an expression. */
export const namesIn = (expr: string): string[] =>
  expr.match(/\b(placeorder_\w+|nodejs_\w+|process_\w+|up(?=\s*\{))/g) ?? []
