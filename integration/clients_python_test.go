package integration

import "path/filepath"

// python drives a script of testdata/python with the modules that it needs.
func python(script string, args []string, modules ...string) func(*driven) {
	return func(d *driven) {
		program := pythonWith(d, modules...)
		d.script(program, append([]string{filepath.Join("python", script)}, args...)...)
	}
}

// pythonSubjects are installed by the system.
func pythonSubjects() []subject {
	return []subject{
		{Name: "redis-py", Language: "Python", drive: python("redis_py.py", nil, "redis")},
		{Name: "redis-py, hiredis", Language: "Python", drive: python("redis_py.py", []string{"hiredis"}, "redis", "hiredis")},
		{Name: "redis-py, asyncio", Language: "Python", drive: python("redis_py_asyncio.py", nil, "redis.asyncio")},
	}
}
