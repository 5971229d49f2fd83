-- Fixes how orders are decided, each once: with the code it was judged to, or, if it passed, by taking all it needs
-- from limits and order codes, or nothing. The first decision stands; who runs an order again is told that one.
--
-- A counter's value is two whole numbers, amount and count. Lua's own numbers are exact only to 2^53, so amounts are
-- compared as digits, and added as digits when they have more than 15.
--
-- KEYS[1]      the hash of decisions: a field for each paymentId
-- KEYS[2]      the sorted set of minutes there are decisions of, by the time no order of theirs was open any more
-- KEYS[3]      the sorted set of counters' hashes, by the time they were last counted in
-- KEYS[4..n]   the hashes of counters and the code holders the orders need
-- ARGV[1]      the minute all the orders were claimed in
-- ARGV[2]      a time in ms, by this node's clock, at which all the orders were still open
-- ARGV[3]      for how many ms after that time they may be decided: past it, their decisions may be forgotten
-- ARGV[4]      in JSON, for each order: its paymentId; the code it was judged to (SUCCESS: passed); and its parts, for each: which
--              of the keys, 1 is KEYS[4]; the counter's field, or HOLD for an order code; amount; the most the amount may add
--              up to; the most the count may ('' for no limit). An order has one part of a field at most
--
-- Returns      the time in ms, then for each order its final result code; after the time nothing if it is too late

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
if now - ARGV[2] > tonumber(ARGV[3]) then return { now } end

local function add(a, b)
  if #a < 16 and #b < 16 then return string.format('%.0f', a + b) end
  local places, sums, carry = math.ceil(math.max(#a, #b) / 9), {}, 0
  for place = places, 1, -1 do
    local first, last = 9 * (place - places - 1), 9 * (place - places) - 1
    local sum = (tonumber(string.sub(a, first, last)) or 0) + (tonumber(string.sub(b, first, last)) or 0) + carry
    carry = sum >= 1e9 and 1 or 0
    sums[place] = string.format('%09d', sum - carry * 1e9)
  end
  return (string.gsub(carry .. table.concat(sums), '^0+(%d)', '%1'))
end

local function over(digits, max)
  return max ~= '' and (#digits > #max or (#digits == #max and digits > max))
end

local orders, paymentIds, needed = cjson.decode(ARGV[4]), {}, {}
for n, order in ipairs(orders) do
  paymentIds[n] = order[1]
  for _, part in ipairs(order[3]) do
    local key = KEYS[3 + part[1]]
    local fields = needed[key] or {}
    fields[#fields + 1] = part[2]
    needed[key] = fields
  end
end

local values, changed = {}, {}
for key, fields in pairs(needed) do
  values[key], changed[key] = {}, {}
  if fields[1] == 'HOLD' then
    values[key].HOLD = redis.call('GET', key)
  else
    for i, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
      local amount, count = string.match(value or '0 0', '(%d+) (%d+)')
      values[key][fields[i]] = { amount, count }
    end
  end
end

-- What each part would make of its counter, and the first code in order of precedence that stands in the way.
local function refusal(paymentId, parts)
  local closed, amountOver, countOver
  for _, part in ipairs(parts) do
    local kept, field = values[KEYS[3 + part[1]]], part[2]
    if field == 'HOLD' then
      closed = closed or (kept.HOLD and kept.HOLD ~= paymentId)
    else
      part.amount, part.count = add(kept[field][1], part[3]), add(kept[field][2], '1')
      amountOver = amountOver or over(part.amount, part[4])
      countOver = countOver or over(part.count, part[5])
    end
  end
  if closed then return 'ORDER_IS_CLOSED' end
  if amountOver then return 'PAYMENT_AMOUNT_EXCEED_LIMIT' end
  if countOver then return 'PAYMENT_COUNT_EXCEED_LIMIT' end
end

local function take(paymentId, parts)
  for _, part in ipairs(parts) do
    local key, field = KEYS[3 + part[1]], part[2]
    changed[key][field] = true
    values[key][field] = field == 'HOLD' and paymentId or { part.amount, part.count }
  end
end

local decided = redis.call('HMGET', KEYS[1], unpack(paymentIds))
local here, fresh = {}, {}
for n, paymentId in ipairs(paymentIds) do
  decided[n] = decided[n] or here[paymentId]
  if not decided[n] then
    local code, parts = orders[n][2], orders[n][3]
    if code == 'SUCCESS' then code = refusal(paymentId, parts) or code end
    if code == 'SUCCESS' then take(paymentId, parts) end
    decided[n], here[paymentId] = code, code
    fresh[#fresh + 1] = paymentId
    fresh[#fresh + 1] = code
  end
end

for key, fields in pairs(changed) do
  local counted = {}
  for field in pairs(fields) do
    if field == 'HOLD' then
      redis.call('SET', key, values[key].HOLD)
    else
      counted[#counted + 1] = field
      counted[#counted + 1] = table.concat(values[key][field], ' ')
    end
  end
  if #counted > 0 then
    redis.call('HSET', key, unpack(counted))
    redis.call('ZADD', KEYS[3], now, key)
  end
end
if #fresh > 0 then
  redis.call('HSET', KEYS[1], unpack(fresh))
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
end
return { now, unpack(decided) }
