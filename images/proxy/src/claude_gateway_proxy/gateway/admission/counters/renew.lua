-- Keeps slots and reservations that are held; one that ended meanwhile stays so. KEYS: the set of each. ARGV: the life of
-- a slot in milliseconds, then the member of each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], 'XX', whole(now + ARGV[1]), ARGV[i + 1])
  -- The set of a purse's reservations lives longer than that.
  if redis.call('PTTL', KEYS[i]) < 2 * ARGV[1] then redis.call('PEXPIRE', KEYS[i], whole(2 * ARGV[1])) end
end
return #KEYS
