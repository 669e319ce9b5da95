package main

import "strconv"

// The job that KV.SET and KV.LIST do, done on Redis as well as one can: one
// script per request, the fewest calls in it, updated_at packed before the
// value. It does less than Cubby: no JSON check, no versions, and the index
// keeps the names of expired keys.
const (
	luaSet = `
local fresh = redis.call('EXISTS', KEYS[2]) == 0
if fresh and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return redis.error_reply('CAP_REACHED')
end
local t = redis.call('TIME')
local v = t[1] * 1000 + math.floor(t[2] / 1000) .. ':' .. ARGV[2]
if ARGV[4] then
  redis.call('SET', KEYS[2], v, 'EX', ARGV[4])
else
  redis.call('SET', KEYS[2], v)
end
if fresh then
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
end
return redis.status_reply('OK')`
	luaList = `
local names = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '[' .. ARGV[1] .. '\255', 'LIMIT', 0, ARGV[2])
local keys = {}
for i = 1, #names do
  keys[i] = ARGV[3] .. names[i]
end
return {names, redis.call('MGET', unpack(keys))}`
)

const (
	listLimit = 100
	listStem  = "key:"
	capOfLua  = "1000000000"
)

var argTTL, argPrefix, argLimit, argHundred = []byte("TTL"), []byte("PREFIX"), []byte("LIMIT"), []byte("100")

// listKeys gives the names in a namespace of 1,000 three digits, so that a
// prefix with one digit has 100 of them.
const listDigits = 3

// luaJob is the pair of scripts on one server.
type luaJob struct{ set, list []byte }

func newLuaJob(t *target) (luaJob, error) {
	c, err := t.admin()
	if err != nil {
		return luaJob{}, err
	}
	defer c.Close()
	var j luaJob
	for script, sha := range map[string]*[]byte{luaSet: &j.set, luaList: &j.list} {
		words, err := c.command("SCRIPT", "LOAD", script)
		if err != nil {
			return j, err
		}
		*sha = []byte(words[0])
	}
	return j, nil
}

var argIndex = []byte("idx")

func (j luaJob) appendSet(buf []byte, l *lane, stem string, n int, ttl []byte) []byte {
	key := l.key(stem, n, listDigits)
	name := key[len(l.prefix):]
	index := append([]byte(l.prefix), argIndex...)
	args := [...][]byte{j.set, []byte("2"), index, key, name, l.value, []byte(capOfLua), ttl}
	if ttl == nil {
		return appendCommand(buf, "EVALSHA", args[:7]...)
	}
	return appendCommand(buf, "EVALSHA", args[:]...)
}

func appendKVSet(buf []byte, l *lane, stem string, n int, ttl []byte) []byte {
	key := l.key(stem, n, listDigits)
	if ttl == nil {
		return appendCommand(buf, "KV.SET", key, l.value)
	}
	return appendCommand(buf, "KV.SET", key, l.value, argTTL, ttl)
}

func (l *lane) listPrefix() []byte {
	return strconv.AppendInt([]byte(listStem), int64(l.rng.IntN(l.keys/listLimit)), 10)
}

func runLua(b *bench) error {
	f := fill{namespaces: b.sized(1000, 20), keys: 1000, value: 64}
	targets, err := b.pair(everysec, f.namespaces)
	if err != nil {
		return err
	}
	redis, cubby := targets[0], targets[1]
	job, err := newLuaJob(redis)
	if err != nil {
		return err
	}
	onRedis, onCubby := f, f
	onRedis.append = func(buf []byte, l *lane, key int) []byte { return job.appendSet(buf, l, listStem, key, nil) }
	onCubby.append = func(buf []byte, l *lane, key int) []byte { return appendKVSet(buf, l, listStem, key, nil) }
	if err := b.loadAll(onRedis, redis); err != nil {
		return err
	}
	if err := b.loadAll(onCubby, cubby); err != nil {
		return err
	}
	return b.measureCells(luaCells(job), f, targets)
}

func luaCells(job luaJob) []cell {
	anyOf := func(l *lane) (string, int) { return listStem, l.rng.IntN(l.keys) }
	newOne := func(*lane) (string, int) { return "new:", int(inserted.Add(1)) }
	write := func(pick func(*lane) (string, int), ttl []byte) map[string]*workload {
		return map[string]*workload{
			nameRedis: {replyLen: okLen, append: func(buf []byte, l *lane) []byte {
				stem, n := pick(l)
				return job.appendSet(buf, l, stem, n, ttl)
			}},
			nameCubby: {replyLen: okLen, append: func(buf []byte, l *lane) []byte {
				stem, n := pick(l)
				return appendKVSet(buf, l, stem, n, ttl)
			}},
		}
	}
	list := map[string]*workload{
		nameRedis: {append: func(buf []byte, l *lane) []byte {
			index := append([]byte(l.prefix), argIndex...)
			return appendCommand(buf, "EVALSHA", job.list, []byte("1"), index, l.listPrefix(), argHundred, []byte(l.prefix))
		}},
		nameCubby: {append: func(buf []byte, l *lane) []byte {
			return appendCommand(buf, "KV.LIST", argPrefix, l.listPrefix(), argLimit, argHundred)
		}},
	}
	var cells []cell
	for _, o := range []struct {
		name string
		work map[string]*workload
	}{
		{"KV.SET overwrite", write(anyOf, nil)},
		{"KV.SET TTL overwrite", write(anyOf, argHour)},
		{"KV.LIST of 100", list},
		{"KV.SET insert", write(newOne, nil)},
		{"KV.SET TTL insert", write(newOne, argHour)},
	} {
		for _, p := range []int{1, pipelined} {
			cells = append(cells, cell{series{Name: o.name, Pipeline: p, Conns: usualConns, Fsync: everysec}, o.work})
		}
	}
	return cells
}
