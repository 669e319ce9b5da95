package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cubbykv/cubby/auth"
	"github.com/cubbykv/cubby/config"
)

// The shells' completion asks the server for names of apps and the like, with
// the flags that stand on the line. Where it does not answer at once, nothing is
// completed: a key that was pressed gets no error and no question.

// completionTime bounds how long a press of the Tab key may take.
const completionTime = 2 * time.Second

// completer offers words for the argument that begins with part. done are the
// arguments before it. A tab in a word parts it from what it means.
type completer func(ctx context.Context, ask asker, done []string, part string) []string

// asker runs an admin's command; what cannot be answered is an empty list.
type asker func(args ...string) []record

// forFirst makes a completer of what serves the first argument alone.
func forFirst(first completer) completer {
	return func(ctx context.Context, ask asker, done []string, part string) []string {
		if len(done) > 0 {
			return nil
		}
		return first(ctx, ask, done, part)
	}
}

// complete is a command's ValidArgsFunction.
func (t *target) complete(env environment, completers ...completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		t.silent = true
		var c *adminClient
		defer func() {
			if c != nil {
				c.close()
			}
		}()
		ask := func(words ...string) []record {
			if c == nil {
				var err error
				if c, err = t.connect(env); err != nil {
					return nil
				}
			}
			if words[0] == "CLIENT" {
				list, _ := c.clients(ctx)
				return list
			}
			list, _ := c.list(ctx, words...)
			return list
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if t.files && len(args) > 0 {
			directive = cobra.ShellCompDirectiveDefault
		}
		var words []string
		for _, offer := range completers {
			for _, word := range offer(ctx, ask, args, part) {
				if plain, _, _ := strings.Cut(word, "\t"); strings.HasPrefix(plain, part) {
					words = append(words, word)
					if strings.HasSuffix(plain, "=") || strings.HasSuffix(plain, "/") {
						directive |= cobra.ShellCompDirectiveNoSpace
					}
				}
			}
		}
		return words, directive
	}
}

// mustComplete offers fixed words for a flag.
func mustComplete(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // a flag that there is not
	}
}

func completeApps(_ context.Context, ask asker, _ []string, part string) []string {
	words := []string{"APP.LIST"}
	if tenant, _, ok := strings.Cut(part, "/"); ok {
		words = append(words, "MATCH", globQuote(tenant)+"/*")
	}
	var names []string
	for _, r := range ask(words...) {
		n, _ := r.number("tokens")
		names = append(names, r.text("name")+"\t"+plural(n, "token"))
	}
	return names
}

// tenants are those of all apps, in order.
func tenants(ask asker) []string {
	var names []string
	for _, r := range ask("APP.LIST") {
		tenant, _, _ := strings.Cut(r.text("name"), "/")
		if len(names) == 0 || names[len(names)-1] != tenant {
			names = append(names, tenant)
		}
	}
	return names
}

func completeTenants(_ context.Context, ask asker, _ []string, _ string) []string {
	return tenants(ask)
}

// completeTenantSlash begins a new app of a tenant that there is.
func completeTenantSlash(_ context.Context, ask asker, _ []string, _ string) []string {
	names := tenants(ask)
	for i := range names {
		names[i] += "/"
	}
	return names
}

// completeUsage offers tenants, and apps when a tenant was typed.
func completeUsage(ctx context.Context, ask asker, done []string, part string) []string {
	if strings.Contains(part, "/") {
		return completeApps(ctx, ask, done, part)
	}
	return append(tenants(ask), completeTenantSlash(ctx, ask, done, part)...)
}

func completeTokens(ctx context.Context, ask asker, _ []string, _ string) []string {
	var ids []string
	for _, a := range ask("APP.LIST") {
		if n, _ := a.number("tokens"); n == 0 || ctx.Err() != nil {
			continue
		}
		app := a.text("name")
		for _, r := range ask("TOKEN.LIST", app) {
			ids = append(ids, strings.TrimSpace(r.text("id")+"\t"+app+" "+r.text("name")))
		}
	}
	return ids
}

func completeClients(_ context.Context, ask asker, _ []string, _ string) []string {
	var ids []string
	for _, r := range ask("CLIENT") {
		ids = append(ids, r.text("id")+"\t"+r.text("app")+" "+r.text("addr"))
	}
	return ids
}

// completeLimits offers the limits that are not on the line yet, behind the app.
func completeLimits(_ context.Context, _ asker, done []string, _ string) []string {
	if len(done) == 0 {
		return nil
	}
	var words []string
	for _, l := range auth.LimitTable {
		if !given(done[1:], l.Name) {
			words = append(words, l.Name+"=\t"+l.Allowed)
		}
	}
	return words
}

// given tells whether name=value is among the words.
func given(words []string, name string) bool {
	for _, w := range words {
		if before, _, _ := strings.Cut(w, "="); strings.EqualFold(before, name) {
			return true
		}
	}
	return false
}

// completeDirectives offers names of directives, or for CONFIG SET those that
// can change, with what they are about.
func completeDirectives(set bool) completer {
	return func(_ context.Context, _ asker, done []string, _ string) []string {
		var words []string
		for _, d := range config.Directives() {
			if given(done, d.Name) || d.Kind == config.KindFiles || set && d.Live == "" || !set && d.Secret {
				continue
			}
			name := d.Name
			if set && !d.Secret {
				name += "="
			}
			words = append(words, name+"\t"+gist(d))
		}
		return words
	}
}

// completeServe offers directives as flags; what does not begin with - is a file
// or a value.
func completeServe(_ *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
	if !strings.HasPrefix(part, "-") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	words := []string{"--dev\tA server for development, in one command"}
	for _, d := range config.Directives() {
		if name := "--" + d.Name; d.Repeat || !slices.Contains(args, name) {
			words = append(words, name+"\t"+gist(d))
		}
	}
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, part) }), cobra.ShellCompDirectiveNoFileComp
}

// gist is the first sentence about a directive.
func gist(d config.Directive) string {
	text, _, _ := strings.Cut(d.Doc, ". ")
	return strings.TrimSuffix(text, ".")
}
