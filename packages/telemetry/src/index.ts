export {
  type Admin,
  type AdminOptions,
  buildAdmin,
  type Configuration,
  type HealthCheck,
} from './admin.ts'
export { type BacklogSource, type OutboxSource, readBacklog, readOutbox } from './backlog.ts'
export { type DurabilitySource, durabilityCheck } from './durability-check.ts'
export { handleSocketErrors } from './handle-socket-errors.ts'
export { type Logger, type LogOptions, openLog } from './log.ts'
export { LogThrottle, reportFaults } from './log-throttle.ts'
export { type Metrics, openMetrics, type StageName, stageNames } from './metrics.ts'
export { reportRequeued } from './report-requeued.ts'
export { beginStartup, startupFaults } from './startup.ts'
export { noTracing, openTracing, type TraceSpan, type Tracing } from './traces.ts'
