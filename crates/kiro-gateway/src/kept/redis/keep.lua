-- ARGV: most bytes, name, sealed response, its bytes, name of the response before it or nothing, names of its
-- items with spaces between them.
local most, name, sealed, bytes, previous, items = unpack(ARGV, 3)
-- A Redis whose memory is full refuses the first write of a script or none (observed with 7.0). So the first
-- must be one that it refuses, and removing what is not there is not.
if redis.call('HEXISTS', sizes, name) == 1 then
  forget(name)
end
redis.call('HSET', response_key(name), 'sealed', sealed, 'previous', previous, 'items', items)
for item in items_of(name) do
  redis.call('SET', item_key(item), name)
end
redis.call('HSET', sizes, name, bytes)
redis.call('HINCRBY', sizes, 'total', bytes)
redis.call('ZADD', used, 0, name)
touch(name)
-- All live equally long, so those that have run out are the ones used least recently.
while true do
  local oldest = redis.call('ZRANGE', used, 0, 0)[1]
  if not oldest then break end
  local fits = tonumber(redis.call('HGET', sizes, 'total')) <= tonumber(most)
  if fits and redis.call('EXISTS', response_key(oldest)) == 1 then break end
  forget(oldest)
end
return 1
