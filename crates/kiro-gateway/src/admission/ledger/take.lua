-- KEYS: what remembers that this question has taken something; sums of credits; of each rate the moment at which
-- it is paid for, in microseconds since the epoch; how much of every limit is open, as in beat.lua.
-- ARGV: how long that is remembered, in milliseconds; how many sums; what each may not reach, or nothing; of each
-- rate how much must be free, and how much of that is taken, in microseconds.
-- A question that is asked again, because its answer was lost, takes nothing more and is not refused.
-- Returns which of the sums and rates refuses, or 0 when all was taken; the microseconds to wait for that; the
-- sums; how far each rate is ahead of now.
local MINUTE = 60000000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local was_taken = redis.call('EXISTS', KEYS[1]) == 1
local n_sums = tonumber(ARGV[2])
local refused, wait, sums, ahead = 0, 0, {}, {}
for n = 1, n_sums do
  local most = tonumber(ARGV[2 + n])
  sums[n] = redis.call('GET', KEYS[1 + n]) or '0'
  if most and refused == 0 and tonumber(sums[n]) >= most then
    refused = n
  end
end
local n_rates = #KEYS - 2 - n_sums
-- With less of a limit, each unit takes longer to come back.
local open = tonumber(redis.call('GET', KEYS[#KEYS]) or '1000000') / 1000000
for n = 1, n_rates do
  local paid = tonumber(redis.call('GET', KEYS[1 + n_sums + n])) or 0
  ahead[n] = math.max(paid - now, 0)
  local over = ahead[n] + math.min(tonumber(ARGV[1 + n_sums + 2 * n]) / open, MINUTE) - MINUTE
  if over > 0 and refused == 0 then
    refused, wait = n_sums + n, over
  end
end
if was_taken then
  return {0, 0, sums, ahead}
end
if refused == 0 then
  for n = 1, n_rates do
    local taken = tonumber(ARGV[2 + n_sums + 2 * n]) / open
    if taken > 0 then
      ahead[n] = ahead[n] + taken
      local life = string.format('%.0f', ahead[n] / 1000 + 60000)
      redis.call('SET', KEYS[1 + n_sums + n], string.format('%.0f', now + ahead[n]), 'PX', life)
      redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
    end
  end
end
return {refused, wait, sums, ahead}
