#!lua flags=allow-oom
-- Forgets concluded orders that the archive has equal: sets their bits in the filters and removes
-- their records, in one step, or does nothing. It may run when memory is full, since it frees some.
-- It may run twice: an order without a record was forgotten before, and is skipped.
--
-- KEYS[1]      what is known of the archive, a hash
-- KEYS[2]      the shard's abandoned orders, a sorted set
-- KEYS[3]      the shard's orders that were set aside, a hash: those are skipped, and stay
-- KEYS[4..]    the filters that bits are set in, then the orders' hashes
-- ARGV[1]      the UUID of the archive
-- ARGV[2]      the generation of the filters that the bits were calculated for
-- ARGV[3]      the version of the archive when it was compared
-- ARGV[4]      the time (ms) from which all the orders may be forgotten
-- ARGV[5]      the id of the outbox up to which all is forgotten after this call; '' if unknown
-- ARGV[6]      the id up to which all was, when that was read. If it is another by now, ARGV[5] is
--              not noted: a Redis from an older file may get this call, and has more to forget
-- ARGV[7]      the number of filters
-- ARGV[8]      the number of bits of an order in each filter
-- ARGV[9..]    for each filter two: the hash's field that lists it last, its length in bytes
-- ARGV[..]     for each order five: orderId; its terms, outcome, paymentRequestId and the time when
--              it was concluded, as the archive has them; then its bits in each filter
--
-- Returns      the number of orders that were forgotten; or why none was: OTHER (the hash is of
--              another archive, or gone), STALE (there are other filters by now), BEHIND (the
--              archive is older than it was), EARLY, DAMAGED (a filter does not have its length),
--              CHANGED (the archive has a record otherwise)

local known = redis.call('HMGET', KEYS[1], 'uuid', 'generation', 'committed', 'forgottenVersion',
  'forgottenTo')
if known[1] ~= ARGV[1] then return 'OTHER' end
if (known[2] or '0') ~= ARGV[2] then return 'STALE' end
local version = tonumber(ARGV[3])
if version < tonumber(known[3] or 0) or version < tonumber(known[4] or 0) then return 'BEHIND' end
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) < tonumber(ARGV[4]) then return 'EARLY' end
local filters, bitsOfOrder = tonumber(ARGV[7]), tonumber(ARGV[8])
for n = 1, filters do
  if redis.call('STRLEN', KEYS[3 + n]) ~= tonumber(ARGV[8 + 2 * n]) then return 'DAMAGED' end
end

local words = 5 + bitsOfOrder * filters
local sets, records, orderIds = {}, {}, {}
for n = 1, filters do sets[n] = {} end
local areSetAside = redis.call('EXISTS', KEYS[3]) == 1
for i = 4 + filters, #KEYS do
  local at = 9 + 2 * filters + (i - 4 - filters) * words
  local kept = redis.pcall('HMGET', KEYS[i], 'terms', 'outcome', 'paymentRequestId', 'concludedAt')
  if kept.err then return 'CHANGED' end
  local stays = areSetAside and redis.call('HEXISTS', KEYS[3], ARGV[at]) == 1
  if not stays and (kept[1] or kept[2] or kept[3]) then
    for field = 1, 4 do
      if kept[field] ~= ARGV[at + field] then return 'CHANGED' end
    end
    records[#records + 1], orderIds[#orderIds + 1] = KEYS[i], ARGV[at]
    for n = 1, filters do
      local set = sets[n]
      for bit = at + 5 + (n - 1) * bitsOfOrder, at + 4 + n * bitsOfOrder do
        local next = #set
        set[next + 1], set[next + 2], set[next + 3], set[next + 4] = 'SET', 'u1', ARGV[bit], '1'
      end
    end
  end
end

if #records > 0 then
  for n = 1, filters do
    local field = ARGV[7 + 2 * n]
    redis.call('BITFIELD', KEYS[3 + n], unpack(sets[n]))
    local list = string.gsub(redis.call('HGET', KEYS[1], field), '%d+$', function(count)
      return string.format('%d', count + #records)
    end)
    redis.call('HSET', KEYS[1], field, list)
  end
  redis.call('UNLINK', unpack(records))
  redis.call('ZREM', KEYS[2], unpack(orderIds))
  if version > tonumber(known[4] or 0) then
    redis.call('HSET', KEYS[1], 'forgottenVersion', ARGV[3])
  end
end

local function isAfter(id, other)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  local otherMs, otherN = string.match(other, '^(%d+)-(%d+)$')
  if ms ~= otherMs then return tonumber(ms) > tonumber(otherMs) end
  return tonumber(n) > tonumber(otherN)
end
local forgottenTo = known[5] or '0-0'
if ARGV[5] ~= '' and forgottenTo == ARGV[6] and isAfter(ARGV[5], forgottenTo) then
  redis.call('HSET', KEYS[1], 'forgottenTo', ARGV[5])
end
return #records
