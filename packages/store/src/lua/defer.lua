-- Defers open orders: moves them from their job to a list until they are due. It may run twice: the
-- reply is the same.
--
-- KEYS[1]      the list, a sorted set by the time orders are due in ms
-- KEYS[2]      the set of the names of all lists that hold orders
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the list's name
-- ARGV[2]      what the record of an order on the list names instead of a job
-- ARGV[3..5]   the pause until an order is due is its age (ms), but not less than ARGV[3] nor more
--              than ARGV[4]; and an order is due at the latest when its age is ARGV[5]
-- ARGV[6]      a code to announce to the ingresses that wait, which then stop waiting
-- ARGV[7..]    for each order three: orderId, the job it is moved from, its trace or ''
--
-- Returns      for each order 1 if it is on the list now, else 0

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local list, name, least, most, longest = unpack(ARGV, 1, 5)
local deferred, due, messages = {}, {}, {}

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
      local message = messages[channel] or { 1, now } -- 1 is the version of a message.
      message[#message + 1] = orderId
      message[#message + 1] = ARGV[6]
      messages[channel] = message
    end
  end
end

if #due > 0 then
  redis.call('ZADD', KEYS[1], unpack(due))
  redis.call('SADD', KEYS[2], list)
end
for channel, message in pairs(messages) do
  redis.call('SPUBLISH', channel, cjson.encode(message))
end
return deferred
