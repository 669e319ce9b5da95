package lua

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	vm "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Bounds on the source of a script. The compiler works in memory that the
// meter does not see, recurses as deep as expressions nest, and compares each
// constant with all others.
const (
	// MaxSource is the longest script in bytes.
	MaxSource    = 64 << 10
	maxNesting   = 1000
	maxConstants = 4096
)

// Script is compiled text. It never changes and may run on many machines at
// once.
type Script struct {
	proto *vm.FunctionProto
}

// CompileError says why a text is no script.
type CompileError struct{ Text string }

// Error is the reason with its place, as in "user_script:1: ...".
func (e *CompileError) Error() string { return e.Text }

// scriptName is how errors call the script, as in Redis.
const scriptName = "user_script"

// Compile translates the text of a script. Errors: *CompileError.
func Compile(text string) (*Script, error) {
	stmts, err := parseText(text, scriptName, false)
	if err != nil {
		return nil, err
	}
	proto, err := translate(withConcat(stmts), scriptName)
	if err != nil {
		return nil, err
	}
	return &Script{proto}, nil
}

// compileChunk translates the text given to loadstring. The function takes
// concat and returns the chunk.
func compileChunk(text, name string) (*vm.FunctionProto, error) {
	stmts, err := parseText(text, name, true)
	if err != nil {
		return nil, err
	}
	chunk := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true}, Stmts: stmts}
	setLines(chunk, 1, 1)
	ret := &ast.ReturnStmt{Exprs: []ast.Expr{chunk}}
	setLines(ret, 1, 1)
	return translate(withConcat([]ast.Stmt{ret}), name)
}

// concatName is the local that holds the concatenating function. No script can
// write such a name.
const concatName = " concat"

// withConcat puts "local concat = ..." in front.
func withConcat(stmts []ast.Stmt) []ast.Stmt {
	args := &ast.Comma3Expr{}
	setLines(args, 1, 1)
	head := &ast.LocalAssignStmt{Names: []string{concatName}, Exprs: []ast.Expr{args}}
	setLines(head, 1, 1)
	return append([]ast.Stmt{head}, stmts...)
}

func setLines(n ast.PositionHolder, first, last int) {
	n.SetLine(first)
	n.SetLastLine(last)
}

func parseText(text, name string, varargs bool) ([]ast.Stmt, error) {
	if len(text) > MaxSource {
		return nil, &CompileError{fmt.Sprintf("%s:1: the script is %d bytes long; at most %d are allowed", name, len(text), MaxSource)}
	}
	if strings.HasPrefix(text, "\x1b") {
		return nil, &CompileError{name + ":1: only text can be loaded"}
	}
	stmts, err := parse.Parse(strings.NewReader(text), name)
	if err != nil {
		return nil, &CompileError{syntaxText(err, text, name)}
	}
	r := rewriter{name: name, varargs: varargs}
	if err := r.run(stmts); err != nil {
		return nil, err
	}
	return stmts, nil
}

// syntaxText words the parser's error as Lua words its own.
func syntaxText(err error, text, name string) string {
	var e *parse.Error
	if !errors.As(err, &e) {
		return name + ":1: syntax error"
	}
	line, near := e.Pos.Line, e.Token
	if line == parse.EOF {
		line, near = 1+strings.Count(text, "\n"), "<eof>"
	}
	what := e.Message
	if what == "parse error" || strings.HasPrefix(what, "syntax error") {
		what = "syntax error"
	}
	if near == "" {
		return fmt.Sprintf("%s:%d: %s", name, line, what)
	}
	return fmt.Sprintf("%s:%d: %s near '%s'", name, line, what, near)
}

// translate compiles statements to code.
func translate(stmts []ast.Stmt, name string) (*vm.FunctionProto, error) {
	proto, err := vm.Compile(stmts, name)
	if err != nil {
		var e *vm.CompileError
		if errors.As(err, &e) {
			return nil, &CompileError{fmt.Sprintf("%s:%d: %s", name, max(1, e.Line), e.Message)}
		}
		return nil, &CompileError{name + ":1: " + err.Error()}
	}
	withoutTailCalls(proto)
	return proto, nil
}

// opShift is where an instruction keeps its operation.
const opShift = 26

// withoutTailCalls turns tail calls into calls that return all results, which
// is what follows them anyway. Lua's frames count the calls they replaced, and
// gopher-lua writes a line for each into every error: a loop of tail calls
// would make one error cost any amount of memory.
func withoutTailCalls(proto *vm.FunctionProto) {
	for i, inst := range proto.Code {
		if int(inst>>opShift) == vm.OP_TAILCALL {
			proto.Code[i] = inst&(1<<opShift-1) | uint32(vm.OP_CALL)<<opShift
		}
	}
	for _, p := range proto.FunctionPrototypes {
		withoutTailCalls(p)
	}
}

// rewriter walks through a parsed script once, judges its bounds and changes
// what the interpreter would do otherwise than Lua, or without a bound.
type rewriter struct {
	name      string
	varargs   bool // the innermost function takes "..."
	depth     int
	constants map[string]struct{}
	line      int
}

// run returns a *CompileError that a walk ended with.
func (r *rewriter) run(stmts []ast.Stmt) (err error) {
	r.constants = make(map[string]struct{})
	defer func() {
		if v := recover(); v != nil {
			refusal, ok := v.(*CompileError)
			if !ok {
				panic(v)
			}
			err = refusal
		}
	}()
	r.stmts(stmts)
	return nil
}

func (r *rewriter) refuse(format string, args ...any) {
	panic(&CompileError{fmt.Sprintf("%s:%d: %s", r.name, max(1, r.line), fmt.Sprintf(format, args...))})
}

func (r *rewriter) enter(n ast.PositionHolder) {
	if n.Line() > 0 {
		r.line = n.Line()
	}
	if r.depth++; r.depth > maxNesting {
		r.refuse("chunk has too many syntax levels")
	}
}

func (r *rewriter) constant(text string) {
	r.constants[text] = struct{}{}
	if len(r.constants) > maxConstants {
		r.refuse("the script has more than %d different names, texts and numbers", maxConstants)
	}
}

func (r *rewriter) stmts(list []ast.Stmt) {
	for _, s := range list {
		r.stmt(s)
	}
}

func (r *rewriter) stmt(s ast.Stmt) {
	r.enter(s)
	switch s := s.(type) {
	case *ast.AssignStmt:
		r.exprs(s.Lhs)
		r.exprs(s.Rhs)
	case *ast.LocalAssignStmt:
		r.exprs(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.stmts(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = r.expr(s.Condition)
		r.stmts(s.Stmts)
	case *ast.RepeatStmt:
		r.stmts(s.Stmts)
		s.Condition = r.expr(s.Condition)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.stmts(s.Then)
		r.stmts(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = r.expr(s.Init), r.expr(s.Limit)
		if s.Step != nil {
			s.Step = r.expr(s.Step)
		}
		r.stmts(s.Stmts)
	case *ast.GenericForStmt:
		r.exprs(s.Exprs)
		r.stmts(s.Stmts)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			s.Name.Func = r.expr(s.Name.Func)
		}
		if s.Name.Receiver != nil {
			s.Name.Receiver = r.expr(s.Name.Receiver)
		}
		r.constant(s.Name.Method)
		r.function(s.Func)
	case *ast.ReturnStmt:
		r.exprs(s.Exprs)
	case *ast.GotoStmt, *ast.LabelStmt:
		r.refuse("goto is not part of Lua 5.1")
	}
	r.depth--
}

func (r *rewriter) exprs(list []ast.Expr) {
	for i := range list {
		list[i] = r.expr(list[i])
	}
}

func (r *rewriter) function(f *ast.FunctionExpr) {
	outer := r.varargs
	r.varargs = f.ParList.HasVargs
	r.stmts(f.Stmts)
	r.varargs = outer
}

func (r *rewriter) expr(e ast.Expr) ast.Expr {
	r.enter(e)
	defer func() { r.depth-- }()
	switch e := e.(type) {
	case *ast.NumberExpr:
		e.Value = numberText(e.Value)
		r.constant(e.Value)
	case *ast.StringExpr:
		r.constant(e.Value)
	case *ast.IdentExpr:
		r.constant(e.Value)
	case *ast.Comma3Expr:
		if !r.varargs {
			r.refuse("cannot use '...' outside a vararg function near '...'")
		}
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expr(e.Object), r.expr(e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				f.Key = r.expr(f.Key)
			}
			f.Value = r.expr(f.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = r.expr(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = r.expr(e.Receiver)
		}
		r.constant(e.Method)
		r.exprs(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.function(e)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	}
	return e
}

// concatArgs is how many operands one call of concat takes; each needs a
// register.
const concatArgs = 50

// concat turns a .. b .. c into concat(a, b, c), since the interpreter's own
// operation makes a string of any length in one step and writes numbers
// otherwise than Lua.
func (r *rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	var operands []ast.Expr
	var last ast.Expr = e
	for {
		c, ok := last.(*ast.StringConcatOpExpr)
		if !ok {
			break
		}
		operands = append(operands, r.expr(c.Lhs))
		last = c.Rhs
	}
	operands = append(operands, r.expr(last))
	line := e.Line()
	var call ast.Expr
	for len(operands) > 0 {
		from := max(0, len(operands)-concatArgs)
		args := append([]ast.Expr{}, operands[from:]...)
		if call != nil {
			args = append(args, call)
		}
		fn := &ast.IdentExpr{Value: concatName}
		setLines(fn, line, line)
		c := &ast.FuncCallExpr{Func: fn, Args: args, AdjustRet: true}
		setLines(c, line, line)
		call, operands = c, operands[:from]
	}
	return call
}

// numberText writes a number of the source so that the interpreter reads it as
// Lua does: it would take a leading zero for octal.
func numberText(text string) string {
	f, ok := parseNumber(text)
	if !ok {
		return text
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
