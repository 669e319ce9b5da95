// Package lua runs scripts as Redis 7.0 runs those of EVAL: Lua 5.1 with the
// tables redis, cjson, cmsgpack, struct and bit, without access to anything of
// the process. It knows nothing of commands or storage; a Host answers
// redis.call.
//
// The interpreter is gopher-lua. Around it stands what a server that runs
// strangers' scripts needs and what Redis answers differently:
//
//   - meter.go and heap.go bound a script's time and memory.
//   - compile.go bounds the source, and rewrites what could not be bounded
//     otherwise: concatenation becomes a function call, tail calls become calls.
//   - frozen.go makes every table that outlives a script unchangeable.
//   - The libraries are our own, since gopher-lua's differ from Lua 5.1 in their
//     results and error texts and do not end when they are asked to.
package lua
