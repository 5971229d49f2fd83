-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      the longest window in ms: what is older is forgotten
-- ARGV[2..]    for each order and subject: which of the keys, paymentId, claim time in ms, the number of windows,
--              and the windows in ms
--
-- Returns      for each order and subject, and each of its windows, the number of other orders in it

local keep, additions, newest, asked, at = tonumber(ARGV[1]), {}, {}, {}, 2
while at <= #ARGV do
  local which, windows = tonumber(ARGV[at]), tonumber(ARGV[at + 3])
  local added = additions[which] or {}
  additions[which] = added
  added[#added + 1] = ARGV[at + 2]
  added[#added + 1] = ARGV[at + 1]
  newest[which] = math.max(newest[which] or 0, tonumber(ARGV[at + 2]))
  asked[#asked + 1] = { which, tonumber(ARGV[at + 2]), at + 4, at + 3 + windows }
  at = at + 4 + windows
end

for which, added in pairs(additions) do
  redis.call('ZADD', KEYS[which], unpack(added))
  redis.call('ZREMRANGEBYSCORE', KEYS[which], '-inf', newest[which] - keep)
  redis.call('PEXPIRE', KEYS[which], keep)
end

local counts = {}
for _, ask in ipairs(asked) do
  for window = ask[3], ask[4] do
    local since = '(' .. string.format('%.0f', ask[2] - tonumber(ARGV[window]))
    local count = redis.call('ZCOUNT', KEYS[ask[1]], since, string.format('%.0f', ask[2]))
    counts[#counts + 1] = math.max(count - 1, 0)
  end
end
return counts
