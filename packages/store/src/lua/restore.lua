#!lua flags=allow-oom
-- Brings orders of a Redis that is older than it was to the state that the archive has them in. It
-- may run twice.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2]      the shard's open orders, a sorted set
-- KEYS[3]      the shard's outbox, a stream
-- KEYS[4]      the filter that is written to
-- KEYS[5..]    the orders' hashes
-- ARGV[1]      the generation of the filters that the bits were calculated for
-- ARGV[2]      the number of bits of an order
-- ARGV[3]      a version of the archive that has all these orders: an older one is not believed
--              about those whose bits are set
-- ARGV[4..]    for each order five: orderId; its terms, outcome and paymentRequestId, and when it
--              was concluded (ms), as archived; then its bits
--
-- Returns      STALE if there are other filters by now; else for each order what was done:
--              EQUAL (nothing), CONCLUDED (it was open), FORGOTTEN (it was missing, or open with
--              other terms: now its bits are set), DIFFERENT (it is concluded otherwise: nothing)

if (redis.call('HGET', KEYS[1], 'generation') or '0') ~= ARGV[1] then return { 'STALE' } end
local words = 5 + ARGV[2]
local done, appended, forgotten, setsBits = {}, {}, 0, false

for i = 5, #KEYS do
  local at = 4 + (i - 5) * words
  local orderId, terms, outcome, paymentRequestId, concludedAt = unpack(ARGV, at, at + 4)
  local kept = redis.call('HMGET', KEYS[i], 'terms', 'outcome', 'paymentRequestId')
  local isSame = kept[1] == terms and kept[3] == paymentRequestId
  local state
  if kept[2] then
    state = isSame and kept[2] == outcome and 'EQUAL' or 'DIFFERENT'
  elseif isSame then
    state = 'CONCLUDED'
    redis.call('HSET', KEYS[i], 'outcome', outcome, 'concludedAt', concludedAt)
    redis.call('HDEL', KEYS[i], 'job', 'waiting')
    appended[#appended + 1], appended[#appended + 2] = orderId, outcome
  else
    state, setsBits = 'FORGOTTEN', true
    redis.call('UNLINK', KEYS[i])
    local sets, isNew = {}, false
    for bit = at + 5, at + 4 + ARGV[2] do
      local next = #sets
      sets[next + 1], sets[next + 2], sets[next + 3], sets[next + 4] = 'SET', 'u1', ARGV[bit], 1
    end
    for _, was in ipairs(redis.call('BITFIELD', KEYS[4], unpack(sets))) do
      isNew = isNew or was == 0
    end
    if isNew then forgotten = forgotten + 1 end
  end
  if not kept[2] then redis.call('ZREM', KEYS[2], orderId) end
  done[#done + 1] = state
end

if #appended > 0 then redis.call('XADD', KEYS[3], '*', 'backfill', '1', unpack(appended)) end
if setsBits and tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[1], 'forgottenVersion') or 0)
then
  redis.call('HSET', KEYS[1], 'forgottenVersion', ARGV[3])
end
if forgotten > 0 then
  local list = string.gsub(redis.call('HGET', KEYS[1], 'filters'), '%d+$', function(count)
    return string.format('%d', count + forgotten)
  end)
  redis.call('HSET', KEYS[1], 'filters', list)
end
return done
