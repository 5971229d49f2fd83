-- Counts orders in among the recent ones of their customers, codes and merchants, each once, and says how many
-- others each of them has in each window.
--
-- KEYS[1..n]   sorted sets of orderIds by claim time in ms, one for each distinct subject
-- KEYS[n+1..]  for each shard they are of, its index of large sets, by the time (ms) until which a set is kept
-- ARGV[1]      in JSON, two lists:
--              the kinds of subjects: for how many ms after an order its set must be there; for how many ms more the
--              set is kept; and the windows in ms;
--              the keys, flat: the kind of each (1 is the first), negative if it is known to be there for as long as
--              it must; which of the KEYS is its index, negative if many were counted in it since it was seen to; how
--              many orders follow; and which of the ARGV each of them is
-- ARGV[2..]    for each order two: claim time in ms, '' to leave it out; orderId
--
-- Returns      for each key, each of its orders and each window, the number of other orders in it
--
-- A set is kept for longer than it must: so most orders need not see to it. The one that does also removes what no
-- window shows any more, so much at most that nobody notices. A large set does not expire, since Redis would free it
-- while everyone waits: it stands in the index, and is unlinked when its time has come. Sets go by the date of the last order, so
-- one that was claimed while the clock was ahead keeps its set for as much longer.

-- A set of so many orders is large: freeing it takes Redis some 0.3 ms.
local LARGE = 1000
-- So many are removed at once, in some 0.1 ms. A worker sees to a busy set after each 64 orders: they never are fewer.
local REMOVED_MAX = 256
-- The expiry (ms) of a large set, which is not to expire: the year 2100. With none it would be taken for a new one.
local NEVER = 4102444800000

local kinds, sets = unpack(cjson.decode(ARGV[1]))
local newest = 0
for i = 2, #ARGV, 2 do newest = math.max(newest, tonumber(ARGV[i]) or 0) end
for _, kind in ipairs(kinds) do
  local span, spare = unpack(kind)
  kind.older = string.format('%d', newest - span)
  kind.needed = newest + span + spare
  kind.kept = string.format('%d', newest + 2 * span)
  kind.begins = {}
end

-- Where the windows begin that end at a claim time, as ZCOUNT takes it.
local function beginsOf(kind, claimedAt)
  local begins = kind.begins[claimedAt]
  if not begins then
    begins = {}
    for i = 3, #kind do begins[i - 2] = string.format('(%d', claimedAt - kind[i]) end
    kind.begins[claimedAt] = begins
  end
  return begins
end

local function seeTo(key, index, kind, expiry)
  local old = redis.call('ZCOUNT', key, '-inf', kind.older)
  if old > 0 then redis.call('ZREMRANGEBYRANK', key, 0, math.min(old, REMOVED_MAX) - 1) end
  local isLarge = expiry == NEVER or redis.call('ZCARD', key) >= LARGE
  redis.call('PEXPIREAT', key, isLarge and NEVER or kind.kept)
  if isLarge then redis.call('ZADD', index, 'GT', kind.kept, key) end
end

local counts, at, set = {}, 1, 1
while at < #sets do
  local key, kind, seenTo = KEYS[set], kinds[math.abs(sets[at])], sets[at] < 0
  local index, isBusy = KEYS[math.abs(sets[at + 1])], sets[at + 1] < 0
  local first, last = at + 3, at + 2 + sets[at + 2]
  local added, new = {}, false
  for i = first, last do
    local order = sets[i]
    if ARGV[order] ~= '' then
      added[#added + 1] = ARGV[order]
      added[#added + 1] = ARGV[order + 1]
    end
  end
  if #added > 0 then
    redis.call('ZADD', key, unpack(added))
    new = not seenTo and redis.call('PEXPIREAT', key, kind.kept, 'NX') == 1 -- All but new ones expire.
  end
  local none = #added == 0 or (new and #added == 2)
  local countedAt, others
  local most = 0
  for i = first, last do
    local claimedAt = ARGV[sets[i]]
    if claimedAt ~= countedAt then -- Orders of a group were mostly claimed at one time.
      countedAt, others = claimedAt, {}
      for window = 1, #kind - 2 do
        others[window] = (none or claimedAt == '') and 0
          or redis.call('ZCOUNT', key, beginsOf(kind, claimedAt)[window], claimedAt) - 1
        most = math.max(most, others[window])
      end
    end
    for window = 1, #others do counts[#counts + 1] = others[window] end
  end
  if #added > 0 and not seenTo and not new then
    local expiry = redis.call('PEXPIRETIME', key)
    if isBusy or most >= LARGE or expiry < kind.needed or expiry == NEVER then
      seeTo(key, index, kind, expiry)
    end
  end
  at, set = last + 1, set + 1
end
return counts
