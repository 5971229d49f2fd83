-- Moves open orders to other jobs, if their records still name the jobs they are moved from. It may
-- run twice: the reply is the same.
--
-- KEYS[1..n]   the orders' hashes
-- ARGV[1]      a code to announce to the ingresses that wait, which then stop waiting; '' to let
--              them wait
-- ARGV[2..]    for each order three: orderId, the job it is moved from, the job it is moved to
--
-- Returns      for each order 1 if its record names the new job now, else 0

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local messages, moved = {}, {}

for i = 1, #KEYS do
  local orderId, from, to = unpack(ARGV, 2 + (i - 1) * 3, 4 + (i - 1) * 3)
  local kept = redis.call('HMGET', KEYS[i], 'outcome', 'job', 'waiting')
  moved[i] = 0
  if not kept[1] and (kept[2] == from or kept[2] == to) then
    moved[i] = 1
    redis.call('HSET', KEYS[i], 'job', to)
    if ARGV[1] ~= '' and kept[3] and kept[3] ~= '' then
      redis.call('HSET', KEYS[i], 'waiting', '')
      for channel in string.gmatch(kept[3], '%S+') do
        local message = messages[channel] or { 1, now } -- 1 is the version of a message.
        message[#message + 1] = orderId
        message[#message + 1] = ARGV[1]
        messages[channel] = message
      end
    end
  end
end

for channel, message in pairs(messages) do
  redis.call('SPUBLISH', channel, cjson.encode(message))
end
return moved
