package integration

// javaScriptSubjects are installed at the versions of testdata/node/package.json.
func javaScriptSubjects() []subject {
	js := func(s subject, args ...string) subject {
		s.Language, s.pinned, s.drive = "JavaScript", true, node(args...)
		return s
	}
	return []subject{
		js(subject{Name: "ioredis 5"}, "ioredis.js", "ioredis"),
		js(subject{Name: "ioredis 6", Protocol: 2}, "ioredis.js", "ioredis-6"),
		js(subject{Name: "ioredis 6", Protocol: 3}, "ioredis.js", "ioredis-6"),
		js(subject{Name: "node-redis", Protocol: 2}, "node-redis.js"),
		js(subject{Name: "node-redis", Protocol: 3}, "node-redis.js"),
	}
}
