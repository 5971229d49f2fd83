-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of paymentIds by claim time in ms, one for each distinct subject
-- ARGV[1]      in JSON, three lists:
--              the orders: claim time in ms and paymentId of each;
--              the kinds of subjects: the time their span began; the time before which all may be forgotten; for how many ms
--              a set is to be kept; and the windows in ms;
--              for each of the keys: its kind, and the positions of its orders (1 is the first)
--
-- Returns      for each key, each of its orders and each window, the number of other orders in it
--
-- Time goes in spans as long as a kind's longest window, seen from an order that is run again late. The first order of a
-- span forgets what is older than a span, and has the set kept for two: so nothing that a window shows is forgotten,
-- and most orders need not see to it.

local orders, kinds, sets = unpack(cjson.decode(ARGV[1]))
local counts = {}

for i, key in ipairs(KEYS) do
  local set = sets[i]
  local spanBegan, older, kept, windows = unpack(kinds[set[1]])
  local added = {}
  for at = 2, #set do
    added[2 * at - 3], added[2 * at - 2] = unpack(orders[set[at]])
  end
  redis.call('ZADD', key, unpack(added))
  local new = redis.call('PEXPIRE', key, kept, 'NX') == 1 -- Every set expires, but for one that was made just now.
  if not new and redis.call('ZCOUNT', key, spanBegan, '+inf') <= #added / 2 then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', older)
    redis.call('PEXPIRE', key, kept)
  end
  local alone = new and #added == 2
  for at = 1, #added, 2 do
    for _, window in ipairs(windows) do
      local others = 0
      if not alone then
        others = redis.call('ZCOUNT', key, string.format('(%.0f', added[at] - window), added[at]) - 1
      end
      counts[#counts + 1] = others
    end
  end
end
return counts
