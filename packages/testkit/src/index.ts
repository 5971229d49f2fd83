export { aPlaceOrder } from './a-place-order.ts'
export { testRedis } from './test-redis.ts'
