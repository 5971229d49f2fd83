-- Opens an order code again, which the named order holds, and notes that it was done.
--
-- KEYS[1]      who holds the code
-- KEYS[2]      the stream of released codes
-- ARGV[1]      the orderId of the order that is to hold it
-- ARGV[2]      so many entries of the stream are kept, about
-- ARGV[3..]    the entry's fields and their values, in turn
--
-- Returns      1; 0 if that order does not hold the code, and nothing was done

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
return 1
