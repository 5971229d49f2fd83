export { type Admin, type AdminOptions, buildAdmin, type HealthCheck } from './admin.ts'
export { type Logger, type LogOptions, openLog } from './log.ts'
export { type Metrics, openMetrics, type StageName, stageNames } from './metrics.ts'
export { noTracing, openTracing, type Step, type Tracing } from './traces.ts'
