-- Claims orders, each once, and reports the state of those that were claimed before. New orders
-- join the shard's joinable job, or get a job of their own: see job-rounds.ts.
--
-- KEYS[1]      the shard's set of open orders
-- KEYS[2]      the id of the joinable job, while there is one; the groups that join it are in a
--              list at this key, ':' and the id
-- KEYS[3]      what is known of the archive, a hash
-- KEYS[4]      the recent counters that the workers' policy reads: see claim-counts.ts
-- KEYS[5..]    the filters of forgotten orders; the orders' hashes; then the keys of
--              `count-recent`, if the group may be counted
-- ARGV[1]      the id of the group's own job, which gets the new orders unless they join another
-- ARGV[2]      the channel of the ingress that waits
-- ARGV[3]      the group as JSON, if it is to join a job; '' if it is to have its own
-- ARGV[4]      for how long (ms) groups may join the group's own job from now on
-- ARGV[5]      the time by the ingress's clock (ms)
-- ARGV[6]      the generation of the filters
-- ARGV[7]      the number of filters
-- ARGV[8]      '', or for orders that are not in the archive the time (ms) of the claim that found
--              them MAYBE: they are claimed without filters
-- ARGV[9]      how long ago (ms) that may have been
-- ARGV[10]     the number of orders
-- ARGV[11]     '', or the counters for which the group is counted if it joins a job, all its orders
--              are new, and KEYS[4] has the same ones
-- ARGV[12]     the first argument of `count-recent`
-- ARGV[13..]   for each filter what `maybe-forgotten` reads, then for each order five: orderId,
--              terms, packed request, clientId, paymentRequestId
--
-- Returns      STALE if the shard has other filters by now, LATE if the orders were looked up too
--              long ago: then nothing was claimed. Else the number of open orders of the shard; 1
--              if there was a joinable job, which the group has joined if ARGV[3] is not '', else
--              0; the time (ms); the archive's UUID and the highest version that an order was
--              forgotten at; what is at KEYS[4], '' if nothing is or the group does not join; the
--              counts of `count-recent`, '' if nothing was counted; then six for each order that
--              was claimed before: its position (1 is the first); OPEN, CONCLUDED, INCONSISTENT,
--              UNREADABLE (written by a newer version, or damaged), or MAYBE (it has no record, but
--              may be forgotten; nothing is stored); its paymentRequestId; its outcome ('' while it
--              is open); the id of its job; its age in ms

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
local toJoin, used
if ARGV[3] ~= '' then toJoin, used = unpack(redis.call('MGET', KEYS[2], KEYS[4])) end
if toJoin then job = toJoin end
-- A packed request begins with its version. One without a version is damaged: 0 is older than any.
local function versionOf(packed) return tonumber(string.match(packed, '^%d+')) or 0 end

local filters, notFoundAt = tonumber(ARGV[7]), ARGV[8]
local firstKey, firstArg, orders = 5 + filters, 13 + filters, tonumber(ARGV[10])
local lastKey = firstKey + orders - 1
-- Where orders were never archived, this costs no command more than without an archive.
local found = redis.call('EXISTS', KEYS[3], unpack(KEYS, firstKey, lastKey))
local archive = found > 0
  and redis.call('HMGET', KEYS[3], 'uuid', 'forgottenVersion', 'generation', 'outbox') or {}
if archive[1] or archive[4] then found = found - 1 end
if notFoundAt == '' then
  if (archive[3] or '0') ~= ARGV[6] then return 'STALE' end
elseif now - notFoundAt < 0 or now - notFoundAt > tonumber(ARGV[9]) then
  return 'LATE'
end
local maybe = filters > 0
  and maybeForgotten({ unpack(KEYS, 5, firstKey - 1) }, { unpack(ARGV, 13, firstArg - 1) }) or {}

local opened = {}
local reply =
  { 0, toJoin and 1 or 0, now, archive[1] or '', archive[2] or '0', used or '', '' }
local function append(...) for _, word in ipairs({ ... }) do reply[#reply + 1] = word end end
-- A group may hold an order twice.
local allNew, claimed = found == 0, {}

for i = firstKey, lastKey do
  local n = i - firstKey + 1
  local at = firstArg + (n - 1) * 5
  local orderId, terms, request, client, paymentRequestId = unpack(ARGV, at, at + 4)
  local isNew = (allNew and not claimed[orderId]) or redis.call('EXISTS', KEYS[i]) == 0
  if isNew and maybe[n] then
    append(n, 'MAYBE', '', '', '', '0')
  elseif isNew then
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
    append(n, state, kept[2] or '', kept[3] or '', kept[4] or '', age)
  end
end

-- Counts the group's orders. Returns the group with its counts, or nil if it is not to be counted.
local function countedGroup()
  if ARGV[11] == '' or used ~= ARGV[11] or #opened < 2 * orders then return end
  local counted = { ARGV[12] }
  for n = 1, orders do counted[2 * n], counted[2 * n + 1] = now, ARGV[firstArg + (n - 1) * 5] end
  reply[7] = table.concat(countRecent({ unpack(KEYS, lastKey + 1) }, counted), ' ')
  local counts = cjson.encode({ used = used, counts = reply[7] })
  return string.sub(ARGV[3], 1, -2) .. ',"counted":' .. counts .. '}'
end

if #opened > 0 then
  redis.call('ZADD', KEYS[1], unpack(opened))
  if toJoin then
    local list = KEYS[2] .. ':' .. job
    -- What cannot be counted must not keep the orders from their job.
    local isCounted, group = pcall(countedGroup)
    local joins = redis.call('RPUSH', list, isCounted and group or ARGV[3])
    if joins == 1 then redis.call('EXPIRE', list, JOINED_S_MAX) end
    if joins == JOINS_MAX then redis.call('DEL', KEYS[2]) end
  elseif redis.call('SET', KEYS[2], job, 'NX', 'GET', 'PX', ARGV[4]) then
    reply[2] = 1
  end
end
reply[1] = redis.call('ZCARD', KEYS[1])
return reply
