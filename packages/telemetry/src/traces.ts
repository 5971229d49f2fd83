import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'

/** One step of an order's way. `traceparent` (W3C) lets the next step, in another process, stand below it. */
export type Step = {
  traceparent: string | undefined
  /** Ends it: now, or at `at` (ms since 1970). */
  end: (how?: {
    attributes?: Record<string, string | number>
    failed?: boolean
    at?: number
  }) => void
}

export type StepOptions = {
  /** The traceparent of the step it belongs to. */
  parent?: string | undefined
  /** When it began, if not now: in ms since 1970. */
  startedAt?: number
  attributes?: Record<string, string | number>
}

/** Where the ways of orders are told to. */
export type Tracing = {
  /** Begins a step. */
  step: (name: string, options?: StepOptions) => Step
  /** Sends what is not sent yet; what its receiver does not take in time is lost. */
  close: () => Promise<void>
}

/** How long a receiver may take for a batch (ms): an ending process waits for no more than that. */
const EXPORT_MS_MAX = 1_000

const nothing: Step = { traceparent: undefined, end: () => {} }

/** Tells nobody, and costs nothing. */
export const noTracing: Tracing = { step: () => nothing, close: async () => {} }

/**
 * Tells an OTLP receiver, in batches. `endpoint` is its base URL, as OTEL_EXPORTER_OTLP_ENDPOINT says it; undefined
 * tells nobody, and loads nothing. `share` of the ways that begin here are told, 0 to 1; a step with a parent always is.
 */
export async function openTracing(
  service: string,
  endpoint: string | undefined,
  share = 1,
): Promise<Tracing> {
  if (endpoint === undefined) return noTracing
  const [
    { BatchSpanProcessor, TracerProvider },
    { OTLPTraceExporter },
    { resourceFromAttributes },
  ] = await Promise.all([
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
    step: (name, { parent, startedAt, attributes = {} } = {}) => {
      if (parent === undefined && Math.random() >= share) return nothing
      const at = startedAt === undefined ? {} : { startTime: startedAt }
      const span = tracer.startSpan(name, { attributes, ...at }, contextOf(parent))
      const { traceId, spanId } = span.spanContext()
      return {
        traceparent: `00-${traceId}-${spanId}-01`,
        end: ({ attributes: more = {}, failed = false, at: endedAt } = {}) => {
          span.setAttributes(more)
          if (failed) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end(endedAt)
        },
      }
    },
    close: () => provider.shutdown().catch(() => {}),
  }
}

function contextOf(traceparent: string | undefined) {
  const [, traceId, spanId] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-\d\d$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true })
}
