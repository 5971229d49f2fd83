-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      how late an order may be run again, in ms
-- ARGV[2..]    for each order and subject: which of the keys, paymentId, claim time in ms, the number of windows,
--              and the windows in ms
--
-- Returns      for each order and subject, and each of its windows, the number of other orders in it
--
-- Time goes in spans as long as a set's longest window, seen from an order that is run again late. The first order of a
-- span forgets what is older than a span, and has the set kept for two: so nothing that a window shows is forgotten,
-- and most orders need not see to it.

-- Most sets are small: this many others are read at once, and counted here instead of by a command for each window.
local READ_MAX = 8

local late, sets, asked, at = tonumber(ARGV[1]), {}, {}, 2
while at <= #ARGV do
  local which, paymentId, claimedAt, windows = unpack(ARGV, at, at + 3)
  local key = KEYS[tonumber(which)]
  local set = sets[key] or { added = {}, newest = 0, span = 0 }
  sets[key] = set
  set.added[#set.added + 1] = claimedAt
  set.added[#set.added + 1] = paymentId
  set.newest = math.max(set.newest, tonumber(claimedAt))
  local ask = { key = key, claimedAt = tonumber(claimedAt), windows = {} }
  for window = at + 4, at + 3 + tonumber(windows) do
    ask.windows[#ask.windows + 1] = tonumber(ARGV[window])
    set.span = math.max(set.span, late + tonumber(ARGV[window]))
  end
  asked[#asked + 1] = ask
  at = at + 4 + tonumber(windows)
end

for key, set in pairs(sets) do
  redis.call('ZADD', key, unpack(set.added))
  local last = #set.added / 2 + READ_MAX - 1
  local read = redis.call('ZRANGE', key, 0, last, 'REV', 'WITHSCORES')
  local ours = {}
  for i = 2, #set.added, 2 do ours[set.added[i]] = true end
  local times, others = {}, 0
  for i = 1, #read, 2 do
    times[#times + 1] = tonumber(read[i + 1])
    local inSpan = math.floor(times[#times] / set.span) >= math.floor(set.newest / set.span)
    if inSpan and not ours[read[i]] then others = others + 1 end
  end
  if #times <= last then set.times = times end
  if others == 0 then
    local oldest = set.newest - set.span
    if times[#times] <= oldest then redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', oldest)) end
    redis.call('PEXPIRE', key, string.format('%.0f', 2 * set.span))
  end
end

local function count(set, ask, since)
  if not set.times then
    return redis.call('ZCOUNT', ask.key, '(' .. string.format('%.0f', since), string.format('%.0f', ask.claimedAt))
  end
  local n = 0
  for _, time in ipairs(set.times) do
    if time > since and time <= ask.claimedAt then n = n + 1 end
  end
  return n
end

local counts = {}
for _, ask in ipairs(asked) do
  for _, window in ipairs(ask.windows) do
    counts[#counts + 1] = math.max(count(sets[ask.key], ask, ask.claimedAt - window) - 1, 0)
  end
end
return counts
