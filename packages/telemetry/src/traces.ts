import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'

/** One step of an order's way. `traceparent` (W3C) lets the next step, in another process, stand below it. */
export type Step = {
  traceparent: string | undefined
  end: (attributes?: Record<string, string | number>, failed?: boolean) => void
}

/** Where the ways of orders are told to. */
export type Tracing = {
  /** Begins a step; `parent` is the traceparent of the step it belongs to. */
  step: (name: string, parent?: string, attributes?: Record<string, string | number>) => Step
  /** Sends what is not sent yet. */
  close: () => Promise<void>
}

const nothing: Step = { traceparent: undefined, end: () => {} }

/** Tells nobody, and costs nothing. */
export const noTracing: Tracing = { step: () => nothing, close: async () => {} }

/**
 * Tells an OTLP receiver, in batches. `endpoint` is its base URL, as OTEL_EXPORTER_OTLP_ENDPOINT says it; undefined
 * tells nobody, and loads nothing.
 */
export async function openTracing(service: string, endpoint: string | undefined): Promise<Tracing> {
  if (endpoint === undefined) return noTracing
  const [{ BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('placeorder')
  return {
    step: (name, parent, attributes = {}) => {
      const span = tracer.startSpan(name, { attributes }, contextOf(parent))
      const { traceId, spanId } = span.spanContext()
      return {
        traceparent: `00-${traceId}-${spanId}-01`,
        end: (more = {}, failed = false) => {
          span.setAttributes(more)
          if (failed) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    close: () => provider.shutdown(),
  }
}

function contextOf(traceparent: string | undefined) {
  const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-\d\d$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true })
}
