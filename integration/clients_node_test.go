package integration

// javaScriptSubjects are installed at the versions of testdata/node/package.json.
func javaScriptSubjects() []subject {
	js := func(s subject, args ...string) subject {
		s.Language, s.pinned, s.drive = "JavaScript", true, node(args...)
		return s
	}
	subjects := []subject{
		js(subject{Name: "ioredis 5"}, "ioredis.js", "ioredis"),
		js(subject{Name: "ioredis 6", Protocol: 2}, "ioredis.js", "ioredis-6"),
		js(subject{Name: "ioredis 6", Protocol: 3}, "ioredis.js", "ioredis-6"),
		js(subject{Name: "node-redis", Protocol: 2}, "node-redis.js"),
		js(subject{Name: "node-redis", Protocol: 3}, "node-redis.js"),

		js(subject{Name: "@upstash/redis over HTTP", web: true}, "upstash.js"),
		js(subject{Name: "@upstash/redis over HTTP, responseEncoding false", web: true}, "upstash.js", `{"responseEncoding": false}`),
		js(subject{Name: "@upstash/redis over HTTP, enableAutoPipelining false", web: true}, "upstash.js", `{"enableAutoPipelining": false}`),

		js(subject{Name: "connect-redis 9", Over: "node-redis"}, "sessions.js", "redis", "connect-redis"),
		js(subject{Name: "connect-redis 8", Over: "ioredis 5"}, "sessions.js", "ioredis", "connect-redis-8"),
		js(subject{Name: "connect-redis 8", Over: "ioredis 6"}, "sessions.js", "ioredis-6", "connect-redis-8"),
		js(subject{Name: "Keyv, @keyv/redis", Over: "node-redis 5"}, "keyv.js", "@keyv/redis"),
		js(subject{Name: "cache-manager", Over: "@keyv/redis"}, "keyv.js", "cache-manager"),
		js(subject{Name: "unstorage", Over: "ioredis 5"}, "unstorage.js"),
	}
	for _, over := range []struct{ name, module string }{
		{"node-redis", "redis"}, {"ioredis 5", "ioredis"}, {"ioredis 6", "ioredis-6"},
	} {
		subjects = append(subjects,
			js(subject{Name: "rate-limit-redis", Over: over.name}, "rate-limit-redis.js", over.module),
			js(subject{Name: "rate-limiter-flexible", Over: over.name, Limits: anyTTL}, "rate-limiter-flexible.js", over.module))
		if over.module != "redis" { // redlock 4 knows node-redis up to 3
			subjects = append(subjects, js(subject{Name: "redlock", Over: over.name, Limits: anyTTL}, "redlock.js", over.module))
		}
	}
	return subjects
}
