-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[..]     for each set: the time its span began, and the time before which all may be forgotten; for how many ms it
--              is to be kept; the number of its orders and of windows; for each order its claim time in ms and paymentId;
--              and for each order and window, the time the window begins with
--
-- Returns      for each set, each of its orders and each window, the number of other orders in it
--
-- Time goes in spans as long as a set's longest window, seen from an order that is run again late. The first order of a
-- span forgets what is older than a span, and has the set kept for two: so nothing that a window shows is forgotten,
-- and most orders need not see to it.

local counts, at = {}, 1
for _, key in ipairs(KEYS) do
  local spanBegan, older, kept = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local orders, windows = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local first = at + 5
  at = first + 2 * orders
  redis.call('ZADD', key, unpack(ARGV, first, at - 1))
  local others = redis.call('ZCARD', key) - orders
  if others > 0 and redis.call('ZCOUNT', key, spanBegan, '+inf') <= orders then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', older)
    redis.call('PEXPIRE', key, kept)
  elseif others == 0 then
    redis.call('PEXPIRE', key, kept)
  end
  for order = first, first + 2 * orders - 2, 2 do
    for window = at, at + windows - 1 do
      local alone = others == 0 and orders == 1
      counts[#counts + 1] = alone and 0 or redis.call('ZCOUNT', key, ARGV[window], ARGV[order]) - 1
    end
    at = at + windows
  end
end
return counts
