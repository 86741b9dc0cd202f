-- What all scripts begin with.
-- KEYS: used (sorted set: names of responses, the one used last has the highest score),
--       sizes (hash: bytes by name, and their `total`).
-- ARGV: what begins the keys of responses and items, their life in milliseconds, and what each script adds.
--
-- Those keys follow from what the scripts find, so they are not among KEYS; a cluster has all of them on one
-- node, because the same word stands in their braces.
local used, sizes, prefix, life = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

local function response_key(name) return prefix .. 'response:' .. name end
local function item_key(name) return prefix .. 'item:' .. name end

-- A Redis that is short of memory may have dropped one of the two. What they counted runs out by itself.
if redis.call('EXISTS', used, sizes) == 1 then
  redis.call('DEL', used, sizes)
end

local function items_of(name)
  return string.gmatch(redis.call('HGET', response_key(name), 'items') or '', '%S+')
end

-- Starts the time of a response again, and makes it the one used last.
local function touch(name)
  local last = redis.call('ZRANGE', used, -1, -1, 'WITHSCORES')
  -- A Redis whose memory is full refuses this, and what is there can be read all the same.
  redis.pcall('ZADD', used, 'XX', (tonumber(last[2]) or 0) + 1, name)
  for item in items_of(name) do
    redis.call('PEXPIRE', item_key(item), life)
  end
  redis.call('PEXPIRE', response_key(name), life)
  redis.call('PEXPIRE', used, life)
  redis.call('PEXPIRE', sizes, life)
end

-- Returns 1, or 0 when the response was not there.
local function forget(name)
  -- First, because it is the one that a Redis whose memory is full refuses: then nothing was done.
  local bytes = redis.call('HGET', sizes, name)
  if bytes then
    redis.call('HINCRBY', sizes, 'total', -bytes)
    redis.call('HDEL', sizes, name)
  end
  for item in items_of(name) do
    -- A newer response may have it too.
    if redis.call('GET', item_key(item)) == name then
      redis.call('DEL', item_key(item))
    end
  end
  redis.call('ZREM', used, name)
  return redis.call('DEL', response_key(name))
end
