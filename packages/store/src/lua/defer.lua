-- Defers open orders: a list becomes answerable for them, instead of their job, until they are due. Run twice it says the same.
--
-- KEYS[1]      the list, a sorted set by the time orders are due in ms
-- KEYS[2]      the set of the names of all lists that have orders
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the list's name
-- ARGV[2]      what a record names as answerable for an order on the list
-- ARGV[3..5]   an order is due when it has been open for as long again (ms), but after the first of these at least and the
--              second at most; in any case when it has been open for the third
-- ARGV[6]      a code to announce to the ingresses that wait, who then stop waiting
-- ARGV[7..]    for each order three: orderId, the job it is taken from, its trace or ''
--
-- Returns      for each order 1 if the list is answerable now, else 0

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local list, name, least, most, longest = unpack(ARGV, 1, 5)
local deferred, due, news = {}, {}, {}

for i = 3, #KEYS do
  local orderId, from, trace = unpack(ARGV, 7 + (i - 3) * 3, 9 + (i - 3) * 3)
  local kept = redis.call('HMGET', KEYS[i], 'outcome', 'job', 'waiting', 'claimedAt', 'sentAt')
  deferred[i - 2] = 0
  if not kept[1] and (kept[2] == from or kept[2] == name) then
    deferred[i - 2] = 1
    local claimedAt = math.max(tonumber(kept[4] or now), tonumber(kept[5] or 0))
    local pause = math.min(math.max(now - claimedAt, least), most)
    due[#due + 1] = string.format('%.0f', math.min(now + pause, claimedAt + longest))
    due[#due + 1] = orderId
    redis.call('HSET', KEYS[i], 'job', name, 'waiting', '')
    if trace ~= '' then redis.call('HSET', KEYS[i], 'trace', trace) end
    for channel in string.gmatch(kept[3] or '', '%S+') do
      local message = news[channel] or { 1, now } -- 1 is the version of a message.
      message[#message + 1] = orderId
      message[#message + 1] = ARGV[6]
      news[channel] = message
    end
  end
end

if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('SADD', KEYS[2], list)
end
for channel, message in pairs(news) do redis.call('SPUBLISH', channel, cjson.encode(message)) end
return deferred
