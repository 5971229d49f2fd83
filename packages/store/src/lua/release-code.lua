-- Releases an order code that the given order holds, and records the release.
--
-- KEYS[1]      the code's holder: an orderId
-- KEYS[2]      the stream of released codes
-- ARGV[1]      the orderId of the order that holds it
-- ARGV[2]      about how many entries of the stream are kept
-- ARGV[3..]    the entry's fields and values, alternating
--
-- Returns      1; 0 if that order does not hold the code: then nothing was changed

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
return 1
