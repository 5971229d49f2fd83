-- Fixes how orders are decided, each once: with the code it was judged to, or, if it passed, by taking all it needs
-- from limits and order codes, or nothing. The first decision stands; who runs an order again is told that one.
--
-- A counter's value is two whole numbers, amount and count. Lua's own numbers are exact only to 2^53, so amounts are
-- compared and added as digits, nine at a time.
--
-- KEYS[1]      the hash of decisions: a field for each paymentId
-- KEYS[2]      the sorted set of minutes there are decisions of, by the time no order of theirs was open any more
-- KEYS[3..n]   the counters and code holders the orders need
-- ARGV[1]      for how many ms a counter is kept
-- ARGV[2]      the minute all the orders were claimed in
-- ARGV[3]      a time in ms, by this node's clock, at which all the orders were still open
-- ARGV[4]      for how many ms after that time they may be decided: past it, their decisions may be forgotten
-- ARGV[5..]    for each order: paymentId; the code it was judged to (SUCCESS: passed); the number of its parts; and
--              for each part four: which of the keys, 1 is KEYS[3]; amount, or HOLD for an order code; the most the amount may add
--              up to; the most the count may ('' for no limit)
--
-- Returns      the time in ms, then for each order its final result code; after the time nothing if it is too late

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
if now - ARGV[3] > tonumber(ARGV[4]) then return { now } end

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

local values, changed = {}, {}
if #KEYS > 2 then values = redis.call('MGET', unpack(KEYS, 3)) end

local function counter(which)
  if type(values[which]) ~= 'table' then
    local amount, count = string.match(values[which] or '0 0', '(%d+) (%d+)')
    values[which] = { amount, count }
  end
  return values[which]
end

-- The first code in order of precedence that stands in the way of an order.
local function refusal(paymentId, parts)
  for _, part in ipairs(parts) do
    if part[2] == 'HOLD' and values[part[1]] and values[part[1]] ~= paymentId then return 'ORDER_IS_CLOSED' end
  end
  for _, part in ipairs(parts) do
    if part[2] ~= 'HOLD' and over(add(counter(part[1])[1], part[2]), part[3]) then
      return 'PAYMENT_AMOUNT_EXCEED_LIMIT'
    end
  end
  for _, part in ipairs(parts) do
    if part[2] ~= 'HOLD' and over(add(counter(part[1])[2], '1'), part[4]) then
      return 'PAYMENT_COUNT_EXCEED_LIMIT'
    end
  end
end

local function take(paymentId, parts)
  for _, part in ipairs(parts) do
    changed[part[1]] = part[2]
    if part[2] == 'HOLD' then
      values[part[1]] = paymentId
    else
      local kept = counter(part[1])
      kept[1], kept[2] = add(kept[1], part[2]), add(kept[2], '1')
    end
  end
end

local paymentIds, judged, parts, at = {}, {}, {}, 5
while at <= #ARGV do
  local n = #paymentIds + 1
  paymentIds[n], judged[n], parts[n] = ARGV[at], ARGV[at + 1], {}
  local last = at + 2 + 4 * tonumber(ARGV[at + 2])
  for p = at + 3, last, 4 do
    table.insert(parts[n], { tonumber(ARGV[p]), ARGV[p + 1], ARGV[p + 2], ARGV[p + 3] })
  end
  at = last + 1
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

for which, what in pairs(changed) do
  if what == 'HOLD' then
    redis.call('SET', KEYS[which + 2], values[which])
  else
    redis.call('SET', KEYS[which + 2], values[which][1] .. ' ' .. values[which][2], 'PX', ARGV[1])
  end
end
if #fresh > 0 then
  redis.call('HSET', KEYS[1], unpack(fresh))
  redis.call('ZADD', KEYS[2], 0, ARGV[2])
end
return { now, unpack(decided) }
