export { ConfigFault, orFault, readEnvironment } from './environment.ts'
export { type LiveFile, liveFile } from './live-file.ts'
export { boolean, durationMs, host, list, port, wholeNumber } from './pieces.ts'
export { addressOf, redisEnvironment } from './redis.ts'
export {
  DATA_DIR,
  isAlive,
  Standalone,
  standaloneFile,
  standaloneIn,
  withStandalone,
} from './standalone.ts'
