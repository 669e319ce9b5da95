package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cubbykv/cubby/storage"
)

// Options configure a Directory. The zero value works: no admin can sign in.
type Options struct {
	// AdminPassword opens the admin's principal; empty lets nobody in.
	AdminPassword string
	// Defaults are the limits of apps for which no others were set; nil means
	// DefaultLimits.
	Defaults *Limits
	// Clock judges the end of tokens; default time.Now.
	Clock func() time.Time
	// Log gets the reasons of refused sign-ins, which clients never hear; nil
	// drops them.
	Log *slog.Logger
}

// Directory knows all apps and tokens and signs principals in. Its methods are
// safe for concurrent use. A change is answered when it is as durable as the
// store makes it; until then nobody sees it.
type Directory struct {
	store    storage.Store
	space    storage.Namespace
	clock    func() time.Time
	defaults Limits
	admin    atomic.Pointer[digest] // nil lets nobody in
	refusals refusalLog

	versionKey [VersionKeyLen]byte
	browser    atomic.Pointer[digest] // signs browser tokens; nil until the first
	settingJWT sync.Mutex
	jwt        atomic.Pointer[jwtVerifier] // nil accepts no JSON Web Token

	// changing lets one change happen at a time, from its checks to the moment
	// it is durable. It is taken before mu.
	changing sync.Mutex
	// erasing holds apps that are gone and whose data is still to be erased.
	// Guarded by changing.
	erasing map[storage.ID]struct{}
	// gone are the drops whose remains may still be on the disk, by the key of
	// their record. Guarded by changing.
	gone map[string]*gone

	// mu is held to read the maps, and with changing to write them. Nobody
	// holds it while waiting for the store.
	mu     sync.RWMutex
	apps   map[storage.ID]*member
	tokens map[string]*Token // by id
}

// member is an app and its tokens by id.
type member struct {
	app    *App
	tokens map[string]*Token
}

// Open returns the directory kept in store and finishes what a crash left
// half done. It holds all apps and tokens in memory, about a kilobyte for an
// app with one token: a million apps fit. Errors: the store's, or one that
// names the record it cannot read.
func Open(ctx context.Context, store storage.Store, o Options) (*Directory, error) {
	d := &Directory{
		store:    store,
		clock:    o.Clock,
		defaults: DefaultLimits(),
	}
	d.refusals.init(o.Log)
	d.SetAdminPassword(o.AdminPassword)
	if o.Defaults != nil {
		d.defaults = *o.Defaults
	}
	if d.clock == nil {
		d.clock = time.Now
	}
	var err error
	if d.space, err = store.Namespace(ctx, storage.Durable, directoryID); err != nil {
		return nil, fmt.Errorf("auth: open the directory: %w", err)
	}
	if _, err = d.space.View(ctx, nil, d.loadAll); err != nil {
		return nil, fmt.Errorf("auth: read the directory: %w", err)
	}
	for id := range d.erasing {
		if err := d.erase(ctx, id); err != nil {
			return nil, err
		}
	}
	if d.versionKey == [VersionKeyLen]byte{} {
		if err := d.makeVersionKey(ctx); err != nil {
			return nil, err
		}
	}
	d.resumeGone()
	return d, nil
}

// SetAdminPassword changes the admin's password for sign-ins to come; an empty
// one lets nobody in.
func (d *Directory) SetAdminPassword(password string) {
	if password == "" {
		d.admin.Store(nil)
		return
	}
	sum := digest(sha256.Sum256([]byte(password)))
	d.admin.Store(&sum)
}

// SetDefaults changes the limits of all apps for which no others were set, from
// their next command on. Errors: *InputError for limits that contradict each
// other; nothing is changed then.
func (d *Directory) SetDefaults(limits Limits) error {
	if err := limits.check(); err != nil {
		return err
	}
	d.changing.Lock()
	defer d.changing.Unlock()
	d.defaults = limits
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, m := range d.apps {
		if err := m.app.override(m.app.Overrides(), limits); err != nil {
			return err // impossible: they were read before
		}
	}
	return nil
}

func (d *Directory) loadAll(tx storage.Tx) error {
	d.apps = make(map[storage.ID]*member)
	d.tokens = make(map[string]*Token)
	d.erasing = make(map[storage.ID]struct{})
	d.gone = make(map[string]*gone)
	var bad error
	err := tx.Ascend("", func(key string, e storage.Entry) bool {
		if err := d.load(strings.Clone(key), e.Value); err != nil { // it keeps parts of the key
			bad = fmt.Errorf("record %q: %w", key, err)
		}
		return bad == nil
	})
	return cmp.Or(bad, err)
}

// Names of AUTH that are not a namespace's.
const (
	adminUser   = "admin"
	defaultUser = "default" // whom redis clients name when they were given only a password
)

// Authenticate returns who may act under user with secret. An empty user
// stands for the namespace that the token names. The only error is
// ErrWrongPass.
func (d *Directory) Authenticate(_ context.Context, user, secret string) (*Principal, error) {
	if user == adminUser {
		want := d.admin.Load()
		if want == nil {
			want = &noDigest
		}
		given := digest(sha256.Sum256([]byte(secret)))
		if subtle.ConstantTimeCompare(given[:], want[:]) != 1 || want == &noDigest {
			return nil, ErrWrongPass
		}
		return &Principal{Admin: true}, nil
	}
	now := d.clock()
	p, reason := d.verify(secret)
	switch {
	case reason != nil:
	case !p.Valid(now.UnixMilli()):
		reason = errSignInEnded
	case user != "" && user != defaultUser && user != p.App.ID.String():
		reason = errOtherApp
	default:
		return p, nil
	}
	if looksSigned(secret) {
		d.refusals.note(now, reason)
	}
	return nil, ErrWrongPass
}

// verify returns the principal that a secret proves. Its errors are for the log.
func (d *Directory) verify(secret string) (*Principal, error) {
	switch {
	case looksLikeBrowserToken(secret):
		return d.verifyBrowser(secret)
	case looksSigned(secret):
		return d.verifyJWT(secret)
	}
	return d.verifyOpaque(secret)
}

func (d *Directory) verifyOpaque(secret string) (*Principal, error) {
	d.mu.RLock()
	t := d.tokens[tokenID(secret)]
	d.mu.RUnlock()
	given := digest(sha256.Sum256([]byte(secret)))
	if t == nil {
		_ = subtle.ConstantTimeCompare(given[:], noDigest[:])
		return nil, ErrWrongPass
	}
	var proven *Token
	if subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1 {
		proven = t
	}
	for _, f := range t.former {
		if subtle.ConstantTimeCompare(given[:], f.hash[:]) == 1 {
			proven = f
		}
	}
	if proven == nil {
		return nil, ErrWrongPass
	}
	// Only for a right secret: looking up the app of a known id would take longer
	// than there being none.
	d.mu.RLock()
	m := d.apps[t.App]
	d.mu.RUnlock()
	if m == nil || t.revoked.Load() {
		return nil, ErrWrongPass // it was dropped this very moment, and may be there anew
	}
	return &Principal{App: m.app, Token: proven}, nil
}

// App returns an app. All callers share it. Errors: ErrNoApp.
func (d *Directory) App(_ context.Context, id storage.ID) (*App, error) {
	m, err := d.member(id)
	if err != nil {
		return nil, err
	}
	return m.app, nil
}

func (d *Directory) member(id storage.ID) (*member, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if m := d.apps[id]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrNoApp, id)
}

// Listed is one app of a listing.
type Listed struct {
	App    *App
	Tokens int // how many tokens it has, ended ones included
}

// Apps lists the apps whose full name match accepts (nil accepts all), in the
// order of the names.
func (d *Directory) Apps(_ context.Context, match func(name string) bool) []Listed {
	var list []Listed
	d.mu.RLock()
	for id, m := range d.apps {
		if match == nil || match(id.String()) {
			list = append(list, Listed{m.app, len(m.tokens)})
		}
	}
	d.mu.RUnlock()
	slices.SortFunc(list, func(a, b Listed) int { return compareIDs(a.App.ID, b.App.ID) })
	return list
}

func compareIDs(a, b storage.ID) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.App, b.App))
}

// Tokens lists an app's tokens, the oldest first. Errors: ErrNoApp.
func (d *Directory) Tokens(_ context.Context, id storage.ID) ([]*Token, error) {
	m, err := d.member(id)
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	list := make([]*Token, 0, len(m.tokens))
	for _, t := range m.tokens {
		list = append(list, t)
	}
	d.mu.RUnlock()
	slices.SortFunc(list, func(a, b *Token) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}
