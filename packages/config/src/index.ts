export { jsonOf, textOf } from './contents.ts'
export { ConfigFault, faultsOf, orFault, readEnvironment } from './environment.ts'
export { type Live, live, type ReadFile } from './live.ts'
export { type LiveFile, liveFile } from './live-file.ts'
export { boolean, durationMs, host, list, port, wholeNumber } from './pieces.ts'
export { addressOf, redisEnvironment, replicasMin } from './redis.ts'
export {
  DATA_DIR,
  isAlive,
  Standalone,
  standaloneFile,
  standaloneIn,
  withStandalone,
} from './standalone.ts'
