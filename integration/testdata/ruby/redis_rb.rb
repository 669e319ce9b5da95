# redis-rb.

require_relative "lib"
require "redis"

Redis.raise_deprecations = false
Redis.silence_deprecations = true
drives Redis::VERSION

def connect(**options) = Redis.new(host: HOST, port: PORT, password: TOKEN, **options)

kv = connect

check "sign-in" do
  same "PONG", kv.ping
  same "PONG", connect(username: USER).ping
  same "PONG", Redis.new(url: "redis://#{USER.sub('/', '%2F')}:#{TOKEN}@#{HOST}:#{PORT}/1").ping
  refused("WRONGPASS", Redis::BaseError) { connect(password: "wrong").ping }
  # Under a wrong name it tries the password alone, which opens the namespace.
  same "PONG", connect(username: "acme/other").ping
  refused("NOAUTH", Redis::CommandError) { connect(password: nil).get("k") }
end

check "values" do
  same "OK", kv.set("text", "grüße", ex: 100)
  same "grüße", kv.get("text").force_encoding("UTF-8")
  raise unless (91..100).cover?(kv.ttl("text"))

  same false, kv.set("text", "x", nx: true)
  same nil, kv.get("missing")
  bytes = [0, 1, 254, 255, 13, 10].pack("C*")
  kv.set("bytes", bytes)
  same bytes, kv.get("bytes").b
  same [1, 6, 5], [kv.incr("n"), kv.incrby("n", 5), kv.decr("n")]
  same 1.5, kv.incrbyfloat("f", 1.5)
  same "OK", kv.mset("a", 1, "b", 2)
  same ["1", nil, "2"], kv.mget("a", "missing", "b")
  same({ "a" => "1", "b" => "2" }, kv.mapped_mget("a", "b"))
  same [true, true], [kv.expire("a", 100), kv.persist("a")]
  same "2", kv.getdel("b")
  same 2, kv.del("a", "bytes", "missing")
  same "OK", kv.call("KV.SET", "doc", '{"a": 1}')
  same '{"a":1}', kv.call("KV.GET", "doc")
end

check "pipeline" do
  replies = kv.pipelined { |p| 1000.times { |i| p.set("many:#{i}", i) } }
  same ["OK"], replies.uniq
  same 1000, replies.size
  refused("ERR value is not an integer", Redis::CommandError) do
    kv.pipelined { |p| p.incr("text"); p.incr("after") }
  end
  same "1", kv.get("after")
end

check "transaction" do
  same ["OK", 2], (kv.multi { |tx| tx.set("t", 1); tx.incr("t") })
  raised = kv.watch("t") do
    connect.set("t", 10)
    kv.multi { |tx| tx.incr("t") }
  end
  same nil, raised
  same [11], (kv.watch("t") { kv.multi { |tx| tx.incr("t") } })
end

check "scan" do
  same 1000, kv.scan_each(match: "many:*", count: 100).to_a.uniq.size
end

check "pub/sub" do
  got = []
  sub = connect
  sub.psubscribe("n*") do |on|
    on.psubscribe { same 1, kv.publish("news", "hello") }
    on.pmessage do |pattern, channel, message|
      got << [pattern, channel, message]
      sub.punsubscribe
    end
  end
  same [["n*", "news", "hello"]], got
  same "grüße", sub.get("text").force_encoding("UTF-8")
end

check "Lua" do
  add = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
  same 2, kv.eval(add, keys: ["lua"], argv: [2])
  sha = kv.script(:load, add)
  same true, kv.script(:exists, sha)
  same 4, kv.evalsha(sha, ["lua"], [2])
  same "OK", kv.script(:flush)
  refused("NOSCRIPT", Redis::CommandError) { kv.evalsha(sha, ["lua"], [2]) }
end

check "errors" do
  refused("SIZE_EXCEEDED", Redis::CommandError) { kv.set("big", "x" * 65_537) }
  refused("BAD_INPUT", Redis::CommandError) { kv.set("two words", "x") }
  refused("WRONGTYPE", Redis::CommandError) { kv.call("KV.GET", "text") }
  refused("NOPERM", Redis::CommandError) { kv.call("APP.LIST") }
  refused("ERR unknown command", Redis::CommandError) { kv.lpush("list", "x") }
end

check "restart" do
  kv.set("kept", "v")
  restart
  same "v", eventually(Redis::BaseConnectionError) { kv.get("kept") }
end
