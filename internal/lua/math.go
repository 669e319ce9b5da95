package lua

import (
	"math"

	vm "github.com/yuin/gopher-lua"
)

func (m *Machine) mathLibrary() *vm.LTable {
	one := func(f func(float64) float64) func(*vm.LState) int {
		return func(l *vm.LState) int {
			l.Push(vm.LNumber(f(m.number(l, 1))))
			return 1
		}
	}
	two := func(f func(a, b float64) float64) func(*vm.LState) int {
		return func(l *vm.LState) int {
			l.Push(vm.LNumber(f(m.number(l, 1), m.number(l, 2))))
			return 1
		}
	}
	best := func(better func(a, b float64) bool) func(*vm.LState) int {
		return func(l *vm.LState) int {
			best := m.number(l, 1)
			for i := 2; i <= l.GetTop(); i++ {
				if f := m.number(l, i); better(f, best) {
					best = f
				}
			}
			l.Push(vm.LNumber(best))
			return 1
		}
	}
	t := m.library(functions{
		"abs": one(math.Abs), "acos": one(math.Acos), "asin": one(math.Asin), "atan": one(math.Atan), "atan2": two(math.Atan2),
		"ceil": one(math.Ceil), "cos": one(math.Cos), "cosh": one(math.Cosh),
		"deg": one(func(f float64) float64 { return f / (math.Pi / 180) }), "exp": one(math.Exp), "floor": one(math.Floor),
		"fmod": two(math.Mod), "mod": two(math.Mod), "log": one(math.Log), "log10": one(math.Log10),
		"max": best(func(a, b float64) bool { return a > b }), "min": best(func(a, b float64) bool { return a < b }),
		"pow": two(math.Pow), "rad": one(func(f float64) float64 { return f * (math.Pi / 180) }),
		"sin": one(math.Sin), "sinh": one(math.Sinh), "sqrt": one(math.Sqrt), "tan": one(math.Tan), "tanh": one(math.Tanh),
		"frexp": func(l *vm.LState) int {
			f, e := math.Frexp(m.number(l, 1))
			l.Push(vm.LNumber(f))
			l.Push(vm.LNumber(e))
			return 2
		},
		"ldexp": func(l *vm.LState) int {
			l.Push(vm.LNumber(math.Ldexp(m.number(l, 1), m.integer(l, 2))))
			return 1
		},
		"modf": func(l *vm.LState) int {
			f := m.number(l, 1)
			whole, part := math.Trunc(f), 0.0
			if !math.IsInf(f, 0) {
				part = f - whole
			}
			l.Push(vm.LNumber(whole))
			l.Push(vm.LNumber(part))
			return 2
		},
		"random": m.mathRandom,
		"randomseed": func(l *vm.LState) int {
			m.random.seed(int32(m.integer(l, 1)))
			return 0
		},
	})
	t.RawSetString("pi", vm.LNumber(math.Pi))
	t.RawSetString("huge", vm.LNumber(math.Inf(1)))
	return t
}

func (m *Machine) mathRandom(l *vm.LState) int {
	r := float64(m.random.next()%randomMax) / randomMax
	switch l.GetTop() {
	case 0:
		l.Push(vm.LNumber(r))
	case 1:
		u := m.integer(l, 1)
		if u < 1 {
			m.refuse(l, 1, "interval is empty")
		}
		l.Push(vm.LNumber(math.Floor(r*float64(u)) + 1))
	case 2:
		lo, hi := m.integer(l, 1), m.integer(l, 2)
		if lo > hi {
			m.refuse(l, 2, "interval is empty")
		}
		l.Push(vm.LNumber(math.Floor(r*float64(hi-lo+1)) + float64(lo)))
	default:
		raiseAt(l, "wrong number of arguments")
	}
	return 1
}

// randomMax bounds what random yields.
const randomMax = math.MaxInt32

// random is drand48's generator, whose sequence Redis promises for a seed.
// Every script starts with the same one, as those of Redis did before version 7.
type random uint64

func (r *random) seed(s int32) { *r = random(uint32(s))<<16 | 0x330E }

func (r *random) next() int32 {
	*r = (*r*0x5DEECE66D + 0xB) & (1<<48 - 1)
	return int32(*r >> 17)
}
