-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      in JSON, three lists:
--              the orders, flat: claim time in ms and paymentId of each;
--              the kinds of subjects: the time before which all may be forgotten; the times until which a set must be there, and
--              until which it is kept when it would not be there for that long; and the windows in ms;
--              the keys, flat: the kind of each, negative if it is known to be there for as long as it must; how many orders
--              follow; and where each of them begins (1 is the first)
--
-- Returns      for each key, each of its orders and each window, the number of other orders in it
--
-- A set is kept for longer than it must: so most orders need not see to it. The one that does forgets what no window shows any
-- more, too.

local orders, kinds, sets = unpack(cjson.decode(ARGV[1]))
local counts, at = {}, 1

-- Where a window begins that ends at a claim time, as ZCOUNT takes it. Orders of a group were mostly claimed at one time.
local begins = {}
local function beginOf(window, claimedAt)
  local known = begins[window] or {}
  begins[window] = known
  known[claimedAt] = known[claimedAt] or string.format('(%d', claimedAt - window)
  return known[claimedAt]
end

for _, key in ipairs(KEYS) do
  local older, needed, kept, windows = unpack(kinds[math.abs(sets[at])])
  local first, last = at + 2, at + 1 + sets[at + 1]
  local added = {}
  for position = first, last do
    added[#added + 1] = orders[sets[position]]
    added[#added + 1] = orders[sets[position] + 1]
  end
  redis.call('ZADD', key, unpack(added))
  local seenTo = sets[at] < 0
  local new = not seenTo and redis.call('PEXPIREAT', key, kept, 'NX') == 1 -- All but new ones expire.
  if not seenTo and not new and redis.call('PEXPIRETIME', key) < needed then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', older)
    redis.call('PEXPIREAT', key, kept)
  end
  local alone = new and first == last
  for position = first, last do
    local claimedAt = orders[sets[position]]
    for _, window in ipairs(windows) do
      counts[#counts + 1] = alone and 0 or redis.call('ZCOUNT', key, beginOf(window, claimedAt), claimedAt) - 1
    end
  end
  at = last + 1
end
return counts
