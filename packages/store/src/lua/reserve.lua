-- Decides orders, each once. An order that was judged to another code than SUCCESS is decided with
-- that code. An order that passed takes all that it needs from limits and order codes, or nothing:
-- then it is decided with the code that says what it lacked. The first decision stands: a later run
-- gets the same one.
--
-- A counter is two whole numbers, amount and count. Lua's numbers are exact up to 2^53 only, so
-- from 10^15 on a number is a string of its digits here, and is added and compared as such.
--
-- KEYS[1]      the hash of decisions: a field for each orderId
-- KEYS[2]      the sorted set of minutes that have decisions; see list-forgettable.lua
-- KEYS[3]      the sorted set of the counters' hashes; see there
-- KEYS[4]      the steady time, a hash; see there
-- KEYS[5..n]   the hashes of counters and the code holders that the orders need
-- ARGV[1]      the minute in which all the orders were claimed
-- ARGV[2]      a steady time in ms at which all the orders were open
-- ARGV[3]      for how long after ARGV[2] the orders may be decided (ms): later, their decisions
--              may be forgotten already
-- ARGV[4]      a flat JSON list. Three values for each order: its orderId; the code it was judged
--              to, perhaps with a space and more text after it; how many parts follow. Five values
--              for each part: the position of its key (1 is KEYS[5]); the counter's field, or HOLD
--              for an order code; the amount, or until when the holder is kept (ms; 0: for ever);
--              the largest sum of amounts; the largest count. The last two are false where there
--              is no limit; numbers are strings from 10^15 on. An order has at most one part for a
--              field. A script that calls this one passes in ARGV.leftOut which orders are not to
--              be decided
--
-- Returns      the time and the steady time in ms; then for each order its outcome, '' if it was
--              left out, UNREADABLE if a newer version has decided it. Only the times if it is too
--              late

-- The first character of each stored decision.
local VERSION = '1'

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local steady = redis.call('HGET', KEYS[4], 'steady') or now
if steady - ARGV[2] > tonumber(ARGV[3]) then return { now, steady } end

local function digits(value)
  return type(value) == 'number' and string.format('%d', value) or value
end

local function add(a, b)
  local places, sums, carry = math.ceil(math.max(#a, #b) / 9), {}, 0
  for place = places, 1, -1 do
    local first, last = 9 * (place - places - 1), 9 * (place - places) - 1
    local digitsOfA, digitsOfB = string.sub(a, first, last), string.sub(b, first, last)
    local sum = (tonumber(digitsOfA) or 0) + (tonumber(digitsOfB) or 0) + carry
    carry = sum >= 1e9 and 1 or 0
    sums[place] = string.format('%09d', sum - carry * 1e9)
  end
  return (string.gsub(carry .. table.concat(sums), '^0+(%d)', '%1'))
end

-- Larger than any limit can be: a counter stops here, however large the amounts are.
local MOST = '10000000000000000000'

-- The sum of two numbers, and whether it is more than `max`. Lua converts digits to a number for
-- the first comparison: rounded, but close enough for that.
local function total(kept, more, max)
  local sum = kept + more
  if sum < 1e15 then return sum, max and sum > max + 0 end
  sum, max = add(digits(kept), digits(more)), max and digits(max)
  if #sum > #MOST or (#sum == #MOST and sum > MOST) then sum = MOST end
  return sum, max and (#sum > #max or (#sum == #max and sum > max))
end

local flat = cjson.decode(ARGV[4])
local orders, orderIds, fields = {}, {}, {}
local at, size = 1, #flat
while at < size do
  orders[#orders + 1], orderIds[#orderIds + 1] = at, flat[at]
  at = at + 3
  for part = at, at + 5 * (flat[at - 1] - 1), 5 do
    local place = flat[part]
    local needed = fields[place] or {}
    needed[#needed + 1] = flat[part + 1]
    fields[place] = needed
  end
  at = at + 5 * flat[at - 1]
end

-- What each of the keys holds: the holder of an order code, or the amounts and counts of counters.
local holders, untils, amounts, counts, changed = {}, {}, {}, {}, {}
for place, needed in pairs(fields) do
  local key = KEYS[4 + place]
  changed[place] = {}
  if needed[1] == 'HOLD' then
    holders[place] = redis.call('GET', key)
  else
    local amount, count = {}, {}
    for i, value in ipairs(redis.call('HMGET', key, unpack(needed))) do
      local a, c = 0, 0
      if value then
        a, c = string.match(value, '(%d+) (%d+)')
        if #a < 16 then a = a + 0 end
        if #c < 16 then c = c + 0 end
      end
      amount[needed[i]], count[needed[i]] = a, c
    end
    amounts[place], counts[place] = amount, count
  end
end

-- Calculates the counters as they would be with an order's parts. Returns the first code, in order
-- of precedence, that refuses the order; nil if none does.
local amountThen, countThen = {}, {}
local function refusal(orderId, first, last)
  local closed, amountOver, countOver
  for part = first, last, 5 do
    local place, field = flat[part], flat[part + 1]
    if field == 'HOLD' then
      closed = closed or (holders[place] and holders[place] ~= orderId)
    else
      local isOver
      amountThen[part], isOver = total(amounts[place][field], flat[part + 2], flat[part + 3])
      amountOver = amountOver or isOver
      countThen[part], isOver = total(counts[place][field], 1, flat[part + 4])
      countOver = countOver or isOver
    end
  end
  if closed then return 'ORDER_IS_CLOSED' end
  if amountOver then return 'PAYMENT_AMOUNT_EXCEED_LIMIT' end
  if countOver then return 'PAYMENT_COUNT_EXCEED_LIMIT' end
end

local function take(orderId, first, last)
  for part = first, last, 5 do
    local place, field = flat[part], flat[part + 1]
    changed[place][field] = true
    if field == 'HOLD' then
      holders[place], untils[place] = orderId, flat[part + 2]
    else
      amounts[place][field], counts[place][field] = amountThen[part], countThen[part]
    end
  end
end

local decided = redis.call('HMGET', KEYS[1], unpack(orderIds))
local here, fresh = {}, {}
for n, orderId in ipairs(orderIds) do
  local stands = decided[n]
  local readable = stands and (string.match(stands, '^' .. VERSION .. '(.*)') or 'UNREADABLE')
  decided[n] = here[orderId] or readable
  if ARGV.leftOut and ARGV.leftOut[n] then
    decided[n] = ''
  elseif not decided[n] then
    local order = orders[n]
    local code, first, last = flat[order + 1], order + 3, order + 5 * flat[order + 2]
    local passed = code == 'SUCCESS' or string.sub(code, 1, 8) == 'SUCCESS '
    local refused = passed and refusal(orderId, first, last)
    code = refused or code
    if passed and not refused then take(orderId, first, last) end
    decided[n], here[orderId] = code, code
    fresh[#fresh + 1] = orderId
    fresh[#fresh + 1] = VERSION .. code
  end
end

for place, fieldsOf in pairs(changed) do
  local key, counted = KEYS[4 + place], {}
  for field in pairs(fieldsOf) do
    if field == 'HOLD' then
      redis.call('SET', key, holders[place])
      if untils[place] > 0 then redis.call('PEXPIREAT', key, untils[place]) end
    else
      local amount, count = amounts[place][field], counts[place][field]
      local exact = amount + 0 < 1e15 and count + 0 < 1e15
      counted[#counted + 1] = field
      counted[#counted + 1] = exact and string.format('%d %d', amount, count)
        or digits(amount) .. ' ' .. digits(count)
    end
  end
  if #counted > 0 then
    redis.call('HSET', key, unpack(counted))
    redis.call('ZADD', KEYS[3], 0, key)
  end
end
if #fresh > 0 then
  redis.call('HSET', KEYS[1], unpack(fresh))
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
end
return { now, steady, unpack(decided) }
