export {
  ConfigFault,
  configFaults,
  readEnvironment,
  readWithFaults,
  withAllFaults,
} from './environment.ts'
export {
  archiveUrl,
  boolean,
  durationMs,
  host,
  list,
  port,
  requestsKeepMonths,
  wholeNumber,
} from './fields.ts'
export { type Live, live, type ReadFile } from './live.ts'
export { type LiveFile, liveFile } from './live-file.ts'
export { decodeText, parseJsonFile } from './parse-json.ts'
export { addressOf, redisEnvironment, replicasMin } from './redis.ts'
export {
  DATA_DIR,
  isAlive,
  runningStandalone,
  Standalone,
  standaloneFile,
  withStandalone,
} from './standalone.ts'
