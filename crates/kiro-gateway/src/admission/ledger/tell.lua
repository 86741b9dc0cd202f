-- KEYS: the number of what this gateway has told last; of each rate to correct the moment at which it is paid
-- for; sums of credits; how much of every limit is open, as in beat.lua.
-- ARGV: the number of what it tells, and the life of that in seconds; how many corrections, each of them in
-- microseconds; of each sum what was spent, and when nobody asks for it any more, in seconds since the epoch.
-- Returns 0 when it was told before.
local number = ARGV[1]
if (tonumber(redis.call('GET', KEYS[1])) or 0) >= tonumber(number) then
  return 0
end
redis.call('SET', KEYS[1], number, 'EX', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local n_rates = tonumber(ARGV[3])
local open = tonumber(redis.call('GET', KEYS[#KEYS]) or '1000000') / 1000000
for n = 1, n_rates do
  local key, more = KEYS[1 + n], tonumber(ARGV[3 + n])
  local paid = tonumber(redis.call('GET', key)) or 0
  -- What is given back was taken before, and what is long paid for is nothing to give back.
  paid = more > 0 and math.max(paid, now) + more / open or paid + more
  if paid > now then
    local life = string.format('%.0f', (paid - now) / 1000 + 60000)
    redis.call('SET', key, string.format('%.0f', paid), 'PX', life)
  else
    redis.call('DEL', key)
  end
end
for n = 1, #KEYS - 2 - n_rates do
  local key = KEYS[1 + n_rates + n]
  redis.call('INCRBYFLOAT', key, ARGV[3 + n_rates + 2 * n - 1])
  redis.call('EXPIREAT', key, ARGV[3 + n_rates + 2 * n])
end
return 1
