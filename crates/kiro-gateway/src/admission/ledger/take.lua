-- KEYS: sums of credits, then of each rate the moment at which it is paid for, in microseconds since the epoch.
-- ARGV: how many sums; what each may not reach, or nothing; of each rate how much must be free, and how much of
-- that is taken, in microseconds.
-- Returns the number of the key that refuses, or 0 when all was taken; the microseconds to wait for that; the
-- sums; how far each rate is ahead of now.
local MINUTE = 60000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local n_sums = tonumber(ARGV[1])
local refused, wait, sums, ahead = 0, 0, {}, {}
for n = 1, n_sums do
  local most = tonumber(ARGV[1 + n])
  sums[n] = redis.call('GET', KEYS[n]) or '0'
  if most and refused == 0 and tonumber(sums[n]) >= most then
    refused = n
  end
end
for n = 1, #KEYS - n_sums do
  local paid = tonumber(redis.call('GET', KEYS[n_sums + n])) or 0
  ahead[n] = math.max(paid - now, 0)
  local over = ahead[n] + tonumber(ARGV[n_sums + 2 * n]) - MINUTE
  if over > 0 and refused == 0 then
    refused, wait = n_sums + n, over
  end
end
if refused == 0 then
  for n = 1, #KEYS - n_sums do
    local taken = tonumber(ARGV[n_sums + 2 * n + 1])
    if taken > 0 then
      ahead[n] = ahead[n] + taken
      local life = string.format('%.0f', ahead[n] / 1000 + 60000)
      redis.call('SET', KEYS[n_sums + n], string.format('%.0f', now + ahead[n]), 'PX', life)
    end
  end
end
return {refused, wait, sums, ahead}
