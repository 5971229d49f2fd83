-- Counts orders as recent orders of their customers, codes and merchants, each once, and returns
-- how many others each of them has in each window.
--
-- KEYS[1..n]   the sets: sorted sets of orderIds by claim time in ms, one for each distinct subject
-- KEYS[n+1..]  for each shard of the sets, its index of large sets, by the time (ms) until which
--              each is kept
-- ARGV[1]      JSON, { kinds, sets }: see below
-- ARGV[2..]    for each order two: claim time in ms, '' to leave it out; orderId
--
-- Returns      for each set, each of its orders and each window, the number of other orders in it
--
-- `kinds` is a list with one { span, spare, windows } for each kind of subject, all in ms: how long
-- a set must exist after an order, how much longer it is kept, and the windows.
--
-- `sets` is { kind, index, isKept, isBusy, orders }, each a list with one entry for each set:
--   kind       the position of its kind (1 is the first)
--   index      the position in KEYS of its index
--   isKept     whether it is known to be kept long enough
--   isBusy     whether many orders were counted in it since it was last maintained
--   orders     the positions of its orders (1 is the first)
--
-- A set is kept for longer than it must exist, so that most orders need not maintain it: prolong
-- its expiry, and remove orders that are in no window any more. A large set does not expire, since
-- Redis would free it while all other commands wait: it stands in the index, and is unlinked when
-- it is due. All times follow the claim time of the last order. A set whose last order was claimed
-- while the clock was ahead is kept for longer by as much.

-- A set of this many orders is large: freeing it takes Redis some 0.3 ms.
local LARGE = 1000
-- At most this many orders are removed at once, in some 0.1 ms. A worker has a busy set maintained
-- after each 64 orders, so more are removed than come.
local REMOVED_MAX = 256
-- The expiry (ms) of a large set: the year 2100. A set without an expiry would be taken for a new
-- one.
local NEVER = 4102444800000

local arguments = cjson.decode(ARGV[1])
local kinds, sets = arguments.kinds, arguments.sets
local newest = 0
for i = 2, #ARGV, 2 do newest = math.max(newest, tonumber(ARGV[i]) or 0) end
for _, kind in ipairs(kinds) do
  kind.older = string.format('%d', newest - kind.span)
  kind.needed = newest + kind.span + kind.spare
  kind.kept = string.format('%d', newest + 2 * kind.span)
  kind.begins = {}
end

-- The beginnings of the windows that end at a claim time, as arguments of ZCOUNT.
local function beginsOf(kind, claimedAt)
  local begins = kind.begins[claimedAt]
  if not begins then
    begins = {}
    for i, window in ipairs(kind.windows) do
      begins[i] = string.format('(%d', claimedAt - window)
    end
    kind.begins[claimedAt] = begins
  end
  return begins
end

local function maintain(key, index, kind, expiry)
  local old = redis.call('ZCOUNT', key, '-inf', kind.older)
  if old > 0 then redis.call('ZREMRANGEBYRANK', key, 0, math.min(old, REMOVED_MAX) - 1) end
  local isLarge = expiry == NEVER or redis.call('ZCARD', key) >= LARGE
  redis.call('PEXPIREAT', key, isLarge and NEVER or kind.kept)
  if isLarge then redis.call('ZADD', index, 'GT', kind.kept, key) end
end

local counts = {}
for set, orders in ipairs(sets.orders) do
  local key, kind, isKept = KEYS[set], kinds[sets.kind[set]], sets.isKept[set]
  local added, isNew = {}, false
  for _, order in ipairs(orders) do
    if ARGV[2 * order] ~= '' then
      added[#added + 1] = ARGV[2 * order]
      added[#added + 1] = ARGV[2 * order + 1]
    end
  end
  if #added > 0 then
    redis.call('ZADD', key, unpack(added))
    -- NX: all sets but new ones have an expiry.
    isNew = not isKept and redis.call('PEXPIREAT', key, kind.kept, 'NX') == 1
  end
  local hasNoOthers = #added == 0 or (isNew and #added == 2)
  local countedAt, others
  local most = 0
  for _, order in ipairs(orders) do
    local claimedAt = ARGV[2 * order]
    if claimedAt ~= countedAt then -- Most orders of a group have the same claim time.
      countedAt, others = claimedAt, {}
      for window = 1, #kind.windows do
        others[window] = (hasNoOthers or claimedAt == '') and 0
          or redis.call('ZCOUNT', key, beginsOf(kind, claimedAt)[window], claimedAt) - 1
        most = math.max(most, others[window])
      end
    end
    for window = 1, #others do counts[#counts + 1] = others[window] end
  end
  -- A set that was known to be kept and has no others is new: it has been removed meanwhile.
  if #added > 0 and isKept and most < #added / 2 then
    redis.call('PEXPIREAT', key, kind.kept, 'NX')
  end
  if #added > 0 and not isKept and not isNew then
    local expiry = redis.call('PEXPIRETIME', key)
    if sets.isBusy[set] or most >= LARGE or expiry < kind.needed or expiry == NEVER then
      maintain(key, KEYS[sets.index[set]], kind, expiry)
    end
  end
end
return counts
