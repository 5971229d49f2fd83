import type * as OpenTelemetry from '@opentelemetry/api'

/**
 * One span of an order's trace. With its `traceparent` (W3C), a span in another process becomes its
 * child.
 */
export type TraceSpan = {
  traceparent: string | undefined
  /** Ends it now, or at `at` (ms since 1970). */
  end: (how?: {
    attributes?: Record<string, string | number>
    failed?: boolean
    at?: number
  }) => void
}

export type SpanOptions = {
  /** The traceparent of its parent. */
  parent?: string | undefined
  /** When it started, if not now: in ms since 1970. */
  startedAt?: number
  attributes?: Record<string, string | number>
}

/** Sends the traces of orders. */
export type Tracing = {
  /** Starts a span. */
  startSpan: (name: string, options?: SpanOptions) => TraceSpan
  /** Sends the spans that are left; those that the receiver does not accept in time are lost. */
  close: () => Promise<void>
}

/**
 * How long a receiver may take for a batch (ms): a process that is shutting down waits no longer.
 */
const EXPORT_MS_MAX = 1_000

const nothing: TraceSpan = { traceparent: undefined, end: () => {} }

/** Sends nothing, and costs nothing. */
export const noTracing: Tracing = { startSpan: () => nothing, close: async () => {} }

/**
 * Sends spans to an OTLP receiver, in batches. `endpoint` is its base URL, as in
 * OTEL_EXPORTER_OTLP_ENDPOINT; if undefined, nothing is sent or loaded. `share` of the traces that
 * start here are sent, 0 to 1; a span with a parent always is.
 */
export async function openTracing(
  service: string,
  endpoint: string | undefined,
  share = 1,
): Promise<Tracing> {
  if (endpoint === undefined) return noTracing
  const [
    api,
    { BatchSpanProcessor, TracerProvider },
    { OTLPTraceExporter },
    { resourceFromAttributes },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    timeoutMillis: EXPORT_MS_MAX,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: EXPORT_MS_MAX })],
  })
  const tracer = provider.getTracer('placeorder')
  return {
    startSpan: (name, { parent, startedAt, attributes = {} } = {}) => {
      if (parent === undefined && Math.random() >= share) return nothing
      const at = startedAt === undefined ? {} : { startTime: startedAt }
      const span = tracer.startSpan(name, { attributes, ...at }, contextOf(parent, api))
      const { traceId, spanId } = span.spanContext()
      return {
        traceparent: `00-${traceId}-${spanId}-01`,
        end: ({ attributes: more = {}, failed = false, at: endedAt } = {}) => {
          span.setAttributes(more)
          if (failed) span.setStatus({ code: api.SpanStatusCode.ERROR })
          span.end(endedAt)
        },
      }
    },
    close: () => provider.shutdown().catch(() => {}),
  }
}

function contextOf(
  traceparent: string | undefined,
  { ROOT_CONTEXT, trace }: typeof OpenTelemetry,
): OpenTelemetry.Context {
  const [, traceId, spanId] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-\d\d$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true })
}
