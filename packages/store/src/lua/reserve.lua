-- Fixes how orders are decided, each once: with the code it was judged to, or, if it passed, by taking all it needs
-- from limits and order codes, or nothing. The first decision stands; who runs an order again is told that one.
--
-- A counter's value is two whole numbers, amount and count. Lua's own numbers are exact only to 2^53, so amounts are
-- compared and added as digits.
--
-- KEYS[1]      the hash of decisions: a field for each paymentId
-- KEYS[2]      the sorted set of minutes there are decisions of, by the time no order of theirs was open any more
-- KEYS[3]      the sorted set of counters' hashes, by the time they were last counted in
-- KEYS[4..n]   the hashes of counters and the code holders the orders need
-- ARGV[1]      the minute all the orders were claimed in
-- ARGV[2]      a time in ms, by this node's clock, at which all the orders were still open
-- ARGV[3]      for how many ms after that time they may be decided: past it, their decisions may be forgotten
-- ARGV[4..]    for each order: paymentId; the code it was judged to (SUCCESS: passed); the number of its parts; and
--              for each part five: which of the keys, 1 is KEYS[4]; the counter's field, or HOLD for an order code;
--              amount; the most the amount may add up to; the most the count may ('' for no limit)
--
-- Returns      the time in ms, then for each order its final result code; after the time nothing if it is too late

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
if now - ARGV[2] > tonumber(ARGV[3]) then return { now } end

local function add(a, b)
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

local paymentIds, judged, parts, needed, at = {}, {}, {}, {}, 4
while at <= #ARGV do
  local n = #paymentIds + 1
  paymentIds[n], judged[n], parts[n] = ARGV[at], ARGV[at + 1], {}
  local last = at + 2 + 5 * tonumber(ARGV[at + 2])
  for p = at + 3, last, 5 do
    local key, field = KEYS[3 + ARGV[p]], ARGV[p + 1]
    table.insert(parts[n], { key = key, field = field, amount = ARGV[p + 2], amountMax = ARGV[p + 3], countMax = ARGV[p + 4] })
    needed[key] = needed[key] or {}
    table.insert(needed[key], field)
  end
  at = last + 1
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

-- The first code in order of precedence that stands in the way of an order.
local function refusal(paymentId, parts)
  for _, part in ipairs(parts) do
    local holder = part.field == 'HOLD' and values[part.key].HOLD
    if holder and holder ~= paymentId then return 'ORDER_IS_CLOSED' end
  end
  for _, part in ipairs(parts) do
    if part.field ~= 'HOLD' and over(add(values[part.key][part.field][1], part.amount), part.amountMax) then
      return 'PAYMENT_AMOUNT_EXCEED_LIMIT'
    end
  end
  for _, part in ipairs(parts) do
    if part.field ~= 'HOLD' and over(add(values[part.key][part.field][2], '1'), part.countMax) then
      return 'PAYMENT_COUNT_EXCEED_LIMIT'
    end
  end
end

local function take(paymentId, parts)
  for _, part in ipairs(parts) do
    changed[part.key][part.field] = true
    if part.field == 'HOLD' then
      values[part.key].HOLD = paymentId
    else
      local kept = values[part.key][part.field]
      kept[1], kept[2] = add(kept[1], part.amount), add(kept[2], '1')
    end
  end
end

local decided = redis.call('HMGET', KEYS[1], unpack(paymentIds))
local here, fresh = {}, {}
for n, paymentId in ipairs(paymentIds) do
  decided[n] = decided[n] or here[paymentId]
  if not decided[n] then
    local code = judged[n]
    if code == 'SUCCESS' then code = refusal(paymentId, parts[n]) or code end
    if code == 'SUCCESS' then take(paymentId, parts[n]) end
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
