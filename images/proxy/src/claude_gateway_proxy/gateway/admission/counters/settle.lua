-- Replaces what a holder took by what it used; the second time, and for an unknown holder, nothing happens.
-- KEYS: the holder's mark, then one key per demand. ARGV: the holder, then three values per demand: its kind and two
-- numbers.
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

for i = 2, #KEYS do
  local at = 2 + (i - 2) * 3
  local kind, a, b = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if kind == 'bucket' then -- a: units per minute, b: ticks to add, or to remove if it is below 0
    local found = redis.call('HMGET', KEYS[i], 'ticks', 'at')
    local ticks = 0
    if found[1] then ticks = math.max(0, found[1] - math.max(0, now - found[2]) * a) end
    ticks = math.max(0, ticks + b)
    redis.call('HSET', KEYS[i], 'ticks', whole(ticks), 'at', whole(now))
    redis.call('PEXPIRE', KEYS[i], whole(math.ceil(ticks / a) + 60000))
  elseif kind == 'slots' then
    redis.call('ZREM', KEYS[i], ARGV[1])
  elseif redis.call('EXISTS', KEYS[i]) == 1 then -- a purse: a: what was reserved, b: what is spent
    if redis.call('ZREM', KEYS[i] .. ':held', ARGV[1] .. ' ' .. a) == 1 then
      redis.call('HINCRBY', KEYS[i], 'reserved', '-' .. a)
      redis.call('HINCRBY', KEYS[i], 'spent', b)
    else -- nobody renewed the reservation for so long that it counted as spent
      redis.call('HINCRBY', KEYS[i], 'spent', whole(b - a))
    end
  end
end
return 1
