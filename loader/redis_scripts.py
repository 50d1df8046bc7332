"""The steps that Redis does as one: Lua, so that nobody sees half of one and nothing comes between.

Every key that a script touches is in KEYS: a Cluster needs to know them, also while it moves the
store from one node to another. So the caller works out the buckets, and a script says "stale" when
the list was replaced or has grown meanwhile; the caller then looks again.

Keys, each behind the store's `{prefix}:`

    meta          hash: format, store (its identity), rev (changes so far), next (last list id),
                  records (of the change log), logged (hash of the last)
    lists         hash: list name -> list id
    head:ID       hash: n (buckets), c (entries), r (rev of the last change)
    b:ID:BUCKET   hash: field -> value, see redis_records
    rules         hash: text, version
    texts         hash: SHA-256 -> a text of the rules that the change log names
    regions       hash: list name -> its own region, for those that have one
    changes       stream, the newest `changes` ones; see _RECORD
    log           list: the change log's records, see change_log
    batch:ID:PART list: rows of a batch before or after it, see redis_batches
    lock:ID       the token of an edit that has the list to itself
    garbage       hash: `list:ID` or `batch:ID` that is not in use any more, or not yet -> id of
                  the list whose lock says that it is
    nodes         hash: node name -> what it last said of itself, JSON
"""

# Whether the change log ends where the caller saw it end; and its next record.
_LOG = """
local function log_ends(meta, previous)
    return (redis.call('HGET', meta, 'logged') or '') == previous
end
local function log(meta, key, line, hash)
    redis.call('RPUSH', key, line)
    redis.call('HSET', meta, 'logged', hash)
    redis.call('HINCRBY', meta, 'records', 1)
end
"""

# Appends one record to the stream: rev, which it returns, and the fields given.
_RECORD = """
local function record(meta, changes, most, fields)
    local rev = redis.call('HINCRBY', meta, 'rev', 1)
    redis.call('XADD', changes, 'MAXLEN', most, '*', 'rev', rev, unpack(fields))
    return rev
end
"""

# KEYS: meta, rules, lists, head of Default. ARGV: identity, rules text, its version, Default, its
# id. Makes a new store unless there is one. 1 when it did.
CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'format', '1', 'store', ARGV[1], 'rev', 0, 'next', ARGV[5])
redis.call('HSET', KEYS[2], 'text', ARGV[2], 'version', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[4], 'n', 1, 'c', 0, 'r', 0)
return 1
"""

# KEYS: meta, lists, changes, rules. What there is at one moment: both hashes, the newest change or
# none, the rules' version.
STATE = """
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]),
        redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1),
        redis.call('HGET', KEYS[4], 'version')}
"""

# KEYS: lists, head, buckets. ARGV: name, id, n, then for each bucket its fields end to end.
# The place from 1 and the value of each that there is, or "stale".
READ = """
if (ARGV[1] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2])
    or redis.call('HGET', KEYS[2], 'n') ~= ARGV[3] then return 'stale' end
local found, place = {}, 0
for at = 3, #KEYS do
    local fields = ARGV[at + 1]
    for start = 1, #fields, 8 do
        place = place + 1
        local value = redis.call('HGET', KEYS[at], string.sub(fields, start, start + 7))
        if value then
            found[#found + 1] = place
            found[#found + 1] = value
        end
    end
end
return found
"""

# KEYS: lists, head, lock, meta, changes, log, batch before, batch after, buckets. ARGV: name, id,
# n, lock token, most changes, what nodes need to know (set, del), the log's last hash, its next
# record and that one's hash, rows of a batch before and after, then for each bucket its changes end
# to end: field, old value, new value, each value behind its length in two bytes, 65535 for none.
# All of it when every old value is what was expected and the log ends where it was said to, else
# nothing. A list that is being made has no name, and nothing is recorded of it.
CHANGE = (
    _RECORD
    + _LOG
    + """
local live = ARGV[1] ~= ''
if redis.call('HGET', KEYS[2], 'n') ~= ARGV[3]
    or (live and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2]) then return 'stale' end
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[4] then return 'locked' end
if live and not log_ends(KEYS[4], ARGV[8]) then return 'logged' end

local function taken(data, at)
    local high, low = string.byte(data, at, at + 1)
    local length = high * 256 + low
    if length == 65535 then return false, at + 2 end
    return string.sub(data, at + 2, at + 1 + length), at + 2 + length
end

local writes, more = {}, 0
for key = 9, #KEYS do
    local data, at = ARGV[key + 4], 1
    while at <= #data do
        local field, old, new = string.sub(data, at, at + 7)
        old, at = taken(data, at + 8)
        new, at = taken(data, at)
        if redis.call('HGET', KEYS[key], field) ~= old then return 'stale' end
        if new and not old then more = more + 1 elseif old and not new then more = more - 1 end
        writes[#writes + 1] = {KEYS[key], field, new}
    end
end
for _, write in ipairs(writes) do
    if write[3] then
        redis.call('HSET', write[1], write[2], write[3])
    else
        redis.call('HDEL', write[1], write[2])
    end
end
redis.call('HINCRBY', KEYS[2], 'c', more)
if not live then return 'ok' end
for part = 0, 1 do
    if ARGV[11 + part] ~= '' then redis.call('RPUSH', KEYS[7 + part], ARGV[11 + part]) end
end
log(KEYS[4], KEYS[6], ARGV[9], ARGV[10])
local rev = record(KEYS[4], KEYS[5], ARGV[5],
    {'op', 'change', 'list', ARGV[1], 'id', ARGV[2], 'set', ARGV[6], 'del', ARGV[7]})
redis.call('HSET', KEYS[2], 'r', rev)
return 'ok'
"""
)

# KEYS: head, then for each split the bucket that is split and the new one. ARGV: n, entries that a
# bucket holds on average. Splits while there are more than that; see redis_records.by_bucket.
# A bucket is written anew, which makes it compact again if it was too large for that.
GROW = """
local n = tonumber(redis.call('HGET', KEYS[1], 'n') or 0)
if n ~= tonumber(ARGV[1]) then return 'stale' end
local entries = tonumber(redis.call('HGET', KEYS[1], 'c'))
local level = 1
while level * 2 <= n do level = level * 2 end
local key = 2
while key < #KEYS and entries > n * tonumber(ARGV[2]) do
    if level * 2 <= n then level = level * 2 end
    local all = redis.call('HGETALL', KEYS[key])
    redis.call('DEL', KEYS[key], KEYS[key + 1])
    for at = 1, #all, 2 do
        local to = KEYS[key]
        if #all[at] == 8 then -- another length is none of ours, and stays to be reported
            local a, b, c, d, e, f, g, h = string.byte(all[at], 1, 8)
            local high = ((a * 256 + b) * 256 + c) * 256 + d
            local low = ((e * 256 + f) * 256 + g) * 256 + h
            local mixed = (high * 69621 + low) % 2147483647 * 48271 % 2147483647
            if mixed % (2 * level) == n then to = KEYS[key + 1] end
        end
        redis.call('HSET', to, all[at], all[at + 1])
    end
    n = n + 1
    key = key + 2
end
redis.call('HSET', KEYS[1], 'n', n)
return n
"""

# KEYS: buckets. What a node needs of them: the fields that are plain numbers for ever, end to end;
# field and expiry of all others; how many cannot be read.
FIELDS = """
local plain, others, bad = {}, {}, 0
local byte, sub = string.byte, string.sub
for _, key in ipairs(KEYS) do
    local all = redis.call('HGETALL', key)
    for at = 1, #all, 2 do
        local field, value = all[at], all[at + 1]
        local kind, expires = byte(field, 1), byte(value, 1)
        if #field ~= 8 or #value < 3 or (expires >= 128 and #value < 11) then
            bad = bad + 1
        elseif expires >= 128 then
            others[#others + 1] = field .. sub(value, 4, 11)
        elseif kind >= 64 and kind < 128 then
            others[#others + 1] = field .. '\\128\\0\\0\\0\\0\\0\\0\\0'
        else
            plain[#plain + 1] = field
        end
    end
end
return {table.concat(plain), table.concat(others), bad}
"""

# KEYS: meta, log. ARGV: the log's last hash, its next record and that one's hash.
NOTE = (
    _LOG
    + """
if not log_ends(KEYS[1], ARGV[1]) then return 'logged' end
log(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
return 'ok'
"""
)

# KEYS: lists, meta, changes, log, new head, regions. ARGV: name, id, most changes, the log's last
# hash, its next record and that one's hash, the list's own region or "".
CREATE_LIST = (
    _RECORD
    + _LOG
    + """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 'there' end
if not log_ends(KEYS[2], ARGV[4]) then return 'logged' end
log(KEYS[2], KEYS[4], ARGV[5], ARGV[6])
local rev = record(KEYS[2], KEYS[3], ARGV[3], {'op', 'list', 'list', ARGV[1], 'id', ARGV[2]})
redis.call('HSET', KEYS[5], 'n', 1, 'c', 0, 'r', rev)
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[6], ARGV[1], ARGV[7]) end
return 'ok'
"""
)

# KEYS: lists, lock, meta, changes, log, batch, regions. ARGV: name, id, token, most changes, the
# log's last hash, its next record and that one's hash. The entries stay, as what the batch had
# before.
REMOVE_LIST = (
    _RECORD
    + _LOG
    + """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'stale' end
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 'locked' end
if not log_ends(KEYS[3], ARGV[5]) then return 'logged' end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[6], ARGV[2])
log(KEYS[3], KEYS[5], ARGV[6], ARGV[7])
record(KEYS[3], KEYS[4], ARGV[4], {'op', 'gone', 'list', ARGV[1], 'id', ARGV[2]})
return 'ok'
"""
)

# KEYS: lists, lock. ARGV: name, id, token, milliseconds. Has the list to itself.
LOCK = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'stale' end
if not redis.call('SET', KEYS[2], ARGV[3], 'NX', 'PX', ARGV[4]) then return 'locked' end
return 'ok'
"""

# KEYS: lock. ARGV: token, milliseconds (0 lets go of it). 0 when the lock is no longer ours.
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: lists, lock of the old list, meta, changes, log, garbage, head of the new list. ARGV: name,
# old id, new id, token, most changes, the log's last hash, its next record and that one's hash,
# then what is garbage no longer. The new list takes the old one's place.
SWAP = (
    _RECORD
    + _LOG
    + """
if redis.call('GET', KEYS[2]) ~= ARGV[4] or redis.call('EXISTS', KEYS[7]) == 0 then
    return 'locked'
end
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 'stale' end
if not log_ends(KEYS[3], ARGV[6]) then return 'logged' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[6], unpack(ARGV, 9))
redis.call('HSET', KEYS[6], 'list:' .. ARGV[2], ARGV[2])
redis.call('DEL', KEYS[2])
log(KEYS[3], KEYS[5], ARGV[7], ARGV[8])
local rev = record(KEYS[3], KEYS[4], ARGV[5], {'op', 'list', 'list', ARGV[1], 'id', ARGV[3]})
redis.call('HSET', KEYS[7], 'r', rev)
return 'ok'
"""
)

# KEYS: rules, meta, changes, log, texts. ARGV: text, its version, the version it was made from,
# most changes, the log's last hash, its next record and that one's hash, the SHA-256 of the text
# that was and of the new one. The version that is there when it is another, "logged", or "".
PUT_RULES = (
    _RECORD
    + _LOG
    + """
local found = redis.call('HMGET', KEYS[1], 'version', 'text')
if found[1] ~= ARGV[3] then return found[1] end
if not log_ends(KEYS[2], ARGV[5]) then return 'logged' end
redis.call('HSET', KEYS[5], ARGV[8], found[2], ARGV[9], ARGV[1])
redis.call('HSET', KEYS[1], 'text', ARGV[1], 'version', ARGV[2])
log(KEYS[2], KEYS[4], ARGV[6], ARGV[7])
record(KEYS[2], KEYS[3], ARGV[4], {'op', 'rules'})
return ''
"""
)
