-- ARGV: `chain` or `each`, names.
-- Returns names and sealed responses by turns. `each`: those that are there. `chain`: the one response and all
-- that it went on from, newest first; nothing if any of them is missing. Using them in this order leaves the
-- oldest as the one used last: what others build on is not the first to go.
local how, found = ARGV[3], {}
for at = 4, #ARGV do
  local name = ARGV[at]
  -- Each was made after the one before it, so this ends.
  while name ~= '' do
    local sealed, previous = unpack(redis.call('HMGET', response_key(name), 'sealed', 'previous'))
    if sealed then
      touch(name)
      table.insert(found, name)
      table.insert(found, sealed)
    elseif how == 'chain' then
      return {}
    end
    name = how == 'chain' and previous or ''
  end
end
return found
