-- Replaces what a holder took by what it used; the second time, and for an unknown holder, nothing happens.
-- KEYS: the holder's mark, then one key per demand. ARGV: the holder, then one text per demand: its kind and two
-- numbers.
if redis.call('GET', KEYS[1]) ~= '1' then
  -- It may be a take that was given up and comes after all: then it takes nothing.
  redis.call('SET', KEYS[1], 0, 'PX', 60000)
  return 0
end
redis.call('DEL', KEYS[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

for i = 2, #KEYS do
  local kind, a, b = string.match(ARGV[i], '(%a+) (%S+) (%S+)')
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
      redis.call('HINCRBY', KEYS[i], 'reserved', whole(0 - a))
      redis.call('HINCRBY', KEYS[i], 'spent', b)
    else -- nobody renewed the reservation for so long that it counted as spent
      redis.call('HINCRBY', KEYS[i], 'spent', whole(b - a))
    end
  end
end
return 1
