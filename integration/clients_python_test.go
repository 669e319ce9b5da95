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
	subjects := []subject{
		{Name: "redis-py", drive: python("redis_py.py", nil, "redis")},
		{Name: "redis-py, hiredis", drive: python("redis_py.py", []string{"hiredis"}, "redis", "hiredis")},
		{Name: "redis-py, asyncio", drive: python("redis_py_asyncio.py", nil, "redis.asyncio")},

		{Name: "Flask-Caching", Over: "redis-py", drive: python("flask_cache.py", nil, "flask_caching", "redis")},
		{Name: "django-redis", Over: "redis-py", Limits: anyTTL, drive: python("django_cache.py", nil, "django_redis")},
		{Name: "limits", Over: "redis-py", Limits: anyTTL, drive: python("rate_limits.py", nil, "limits", "redis")},
	}
	for i := range subjects {
		subjects[i].Language = "Python"
	}
	return subjects
}
