-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      how late an order may be run again, in ms
-- ARGV[2..]    for each order and subject: which of the keys, paymentId, claim time in ms, the number of windows,
--              and the windows in ms
--
-- What is older than a set's longest window, even for an order that is run again late, is forgotten.
--
-- Returns      for each order and subject, and each of its windows, the number of other orders in it

local late, sets, asked, at = tonumber(ARGV[1]), {}, {}, 2
while at <= #ARGV do
  local which, paymentId, claimedAt, windows = unpack(ARGV, at, at + 3)
  local set = sets[which] or { added = {}, newest = 0, keep = 0 }
  sets[which] = set
  set.added[#set.added + 1] = claimedAt
  set.added[#set.added + 1] = paymentId
  set.newest = math.max(set.newest, tonumber(claimedAt))
  local last = at + 3 + tonumber(windows)
  for window = at + 4, last do set.keep = math.max(set.keep, late + tonumber(ARGV[window])) end
  asked[#asked + 1] = { KEYS[tonumber(which)], tonumber(claimedAt), at + 4, last }
  at = last + 1
end

for which, set in pairs(sets) do
  local key = KEYS[tonumber(which)]
  redis.call('ZADD', key, unpack(set.added))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', set.newest - set.keep))
  redis.call('PEXPIRE', key, string.format('%.0f', set.keep))
end

local counts = {}
for _, ask in ipairs(asked) do
  for window = ask[3], ask[4] do
    local since = '(' .. string.format('%.0f', ask[2] - tonumber(ARGV[window]))
    local count = redis.call('ZCOUNT', ask[1], since, string.format('%.0f', ask[2]))
    counts[#counts + 1] = math.max(count - 1, 0)
  end
end
return counts
