-- Claims orders, each once, and reports the state of those that were claimed before. New orders
-- join the shard's joinable job, or get a job of their own: see job-rounds.ts.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2]      the id of the joinable job, while there is one; the groups that join it are in a
--              list at this key, ':' and the id
-- KEYS[3..n]   the orders' hashes
-- ARGV[1]      the id of the group's own job, which gets the new orders unless they join another
-- ARGV[2]      the channel of the ingress that waits
-- ARGV[3]      the group as JSON, if it is to join a job; '' if it is to have its own
-- ARGV[4]      for how long (ms) groups may join the group's own job from now on
-- ARGV[5]      the time by the ingress's clock (ms)
-- ARGV[6..]    for each order five: orderId, terms, packed request, clientId, paymentRequestId
--
-- Returns      the number of open orders of the shard; 1 if there was a joinable job, which the
--              group has joined if ARGV[3] is not '', else 0; then six for each order that was
--              claimed before: its position (1 is the first); OPEN, CONCLUDED, INCONSISTENT, or
--              UNREADABLE (written by a newer version, or damaged); its paymentRequestId; its
--              outcome ('' while it is open); the id of its job; its age in ms

-- A job's list holds at most this many groups, those in flight included. The next group begins
-- another job, for another worker.
local JOINS_MAX = 64
-- The list expires after this time (s) if no worker has run the job. Its orders are requeued long
-- before. If Redis's clock was ahead, it stays for longer and only takes up memory.
local JOINED_S_MAX = 86400

-- If the ingress's clock is ahead of Redis's by this much (ms), the record stores its time, too: so
-- no order counts as older than it is, whichever clock is wrong.
local APART_MS = 1000

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
local job, channel = ARGV[1], ARGV[2]
local isBehind = ARGV[5] - now >= APART_MS
local toJoin = ARGV[3] ~= '' and redis.call('GET', KEYS[2])
if toJoin then job = toJoin end
-- A packed request begins with its version. One without a version is damaged: 0 is older than any.
local function versionOf(packed) return tonumber(string.match(packed, '^%d+')) or 0 end

local opened, reply = {}, { 0, toJoin and 1 or 0 }
-- A group may hold an order twice.
local allNew, claimed = redis.call('EXISTS', unpack(KEYS, 3)) == 0, {}

for i = 3, #KEYS do
  local at = 6 + (i - 3) * 5
  local orderId, terms, request, client, paymentRequestId = unpack(ARGV, at, at + 4)
  if (allNew and not claimed[orderId]) or redis.call('EXISTS', KEYS[i]) == 0 then
    claimed[orderId] = true
    redis.call('HSET', KEYS[i], 'terms', terms, 'request', request, 'client', client,
      'paymentRequestId', paymentRequestId, 'claimedAt', now, 'job', job, 'waiting', channel)
    if isBehind then redis.call('HSET', KEYS[i], 'sentAt', ARGV[5]) end
    opened[#opened + 1] = now
    opened[#opened + 1] = orderId
  else
    local kept = redis.pcall('HMGET', KEYS[i], 'terms', 'paymentRequestId', 'outcome', 'job',
      'waiting', 'claimedAt', 'request')
    local state = 'OPEN'
    if kept.err or versionOf(kept[7] or '') > versionOf(request) then
      kept, state = {}, 'UNREADABLE'
    elseif kept[1] ~= terms then
      state = 'INCONSISTENT'
    elseif kept[3] then
      state = 'CONCLUDED'
    elseif not string.find(' ' .. (kept[5] or '') .. ' ', ' ' .. channel .. ' ', 1, true) then
      local others = kept[5] and kept[5] ~= ''
      redis.call('HSET', KEYS[i], 'waiting', others and kept[5] .. ' ' .. channel or channel)
    end
    local age = string.format('%.0f', now - (tonumber(kept[6]) or now))
    local words = { i - 2, state, kept[2] or '', kept[3] or '', kept[4] or '', age }
    for _, word in ipairs(words) do reply[#reply + 1] = word end
  end
end

if #opened > 0 then
  redis.call('ZADD', KEYS[1], unpack(opened))
  if toJoin then
    local list = KEYS[2] .. ':' .. job
    local joins = redis.call('RPUSH', list, ARGV[3])
    if joins == 1 then redis.call('EXPIRE', list, JOINED_S_MAX) end
    if joins == JOINS_MAX then redis.call('DEL', KEYS[2]) end
  elseif redis.call('SET', KEYS[2], job, 'NX', 'GET', 'PX', ARGV[4]) then
    reply[2] = 1
  end
end
reply[1] = redis.call('ZCARD', KEYS[1])
return reply
