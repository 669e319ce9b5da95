package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/cubbykv/cubby/storage"
)

// directoryID is the namespace in which apps and tokens live. No tenant may
// start with an underscore, so nobody can address it.
var directoryID = storage.ID{Tenant: "_cubby", App: "directory"}

// Keys of the directory are one of these and a name.
const (
	appKey   = "app:"   // and tenant/app
	dropKey  = "drop:"  // and tenant/app: an app that is gone and whose data is still to be erased
	tokenKey = "token:" // and the token's id

	versionKeyName = "version-key" // alone; its value is bytes

	signingKey     = "key:" // and what the key is for
	browserKeyName = "browser"
	goneKey        = "gone:" // and a number: what was dropped and may still stand in the store's history
)

// keyRecord is a key as it is stored.
type keyRecord struct {
	Key []byte `json:"key"`
}

// appRecord is an app as it is stored.
type appRecord struct {
	CreatedAt int64     `json:"created_at"` // Unix milliseconds
	Limits    Overrides `json:"limits,omitempty"`
}

// tokenRecord is a token as it is stored. Hash and Prefix are any bytes, which
// JSON keeps in base64.
type tokenRecord struct {
	App       string   `json:"app"` // tenant/app
	Hash      []byte   `json:"sha256"`
	Name      string   `json:"name,omitempty"`
	CreatedAt int64    `json:"created_at"` // Unix milliseconds
	ReadOnly  bool     `json:"read_only,omitempty"`
	Prefix    []byte   `json:"prefix,omitempty"`
	ExpiresAt int64    `json:"expires_at,omitempty"` // Unix milliseconds
	Origins   []string `json:"origins,omitempty"`

	RotatedAt int64          `json:"rotated_at,omitempty"` // Unix milliseconds
	Former    []formerRecord `json:"former,omitempty"`
}

// formerRecord is a secret that was replaced and still works.
type formerRecord struct {
	Hash  []byte `json:"sha256"`
	Until int64  `json:"until"` // Unix milliseconds
}

func (t *Token) record() tokenRecord {
	r := tokenRecord{
		App: t.App.String(), Hash: t.hash[:], Name: t.Name, CreatedAt: t.CreatedAt, RotatedAt: t.RotatedAt,
		ReadOnly: t.ReadOnly, Prefix: []byte(t.Prefix), ExpiresAt: t.ExpiresAt, Origins: t.Origins,
	}
	for _, f := range t.former {
		r.Former = append(r.Former, formerRecord{f.hash[:], f.until.Load()})
	}
	return r
}

func (r *tokenRecord) token(id string, app storage.ID) (*Token, error) {
	one := func(hash []byte) (*Token, error) {
		t := &Token{ID: id, App: app, Name: r.Name, CreatedAt: r.CreatedAt, RotatedAt: r.RotatedAt, Scope: Scope{
			ReadOnly: r.ReadOnly, Prefix: string(r.Prefix), ExpiresAt: r.ExpiresAt, Origins: r.Origins,
		}}
		if len(hash) != len(t.hash) {
			return nil, fmt.Errorf("its hash has %d bytes", len(hash))
		}
		copy(t.hash[:], hash)
		return t, nil
	}
	t, err := one(r.Hash)
	if err != nil {
		return nil, err
	}
	for _, former := range r.Former {
		f, err := one(former.Hash)
		if err != nil {
			return nil, err
		}
		f.until.Store(max(1, former.Until))
		t.former = append(t.former, f)
	}
	return t, nil
}

// put writes a record under a key of the directory.
func put(tx storage.Tx, key string, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return tx.Set(key, storage.Entry{Value: text})
}

// load takes over one stored record. The keys come in order, so an app comes
// before its tokens.
func (d *Directory) load(key string, text []byte) error {
	switch {
	case strings.HasPrefix(key, appKey):
		return d.loadApp(key[len(appKey):], text)
	case strings.HasPrefix(key, dropKey):
		id, err := ParseID(key[len(dropKey):])
		if err != nil {
			return err
		}
		d.erasing[id] = struct{}{}
		return nil
	case key == versionKeyName:
		return d.loadVersionKey(text)
	case strings.HasPrefix(key, goneKey):
		return d.loadGone(key, text)
	case strings.HasPrefix(key, tokenKey):
		return d.loadToken(key[len(tokenKey):], text)
	case key == signingKey+browserKeyName:
		return d.loadBrowserKey(text)
	}
	return errors.New("this version does not know such a record")
}

func (d *Directory) loadApp(name string, text []byte) error {
	id, err := ParseID(name)
	if err != nil {
		return err
	}
	var r appRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	app := &App{ID: id, CreatedAt: r.CreatedAt}
	if err := app.override(r.Limits, d.defaults); err != nil {
		return err
	}
	d.apps[id] = &member{app: app, tokens: make(map[string]*Token)}
	return nil
}

func (d *Directory) loadBrowserKey(text []byte) error {
	var r keyRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	key := new(digest)
	if len(r.Key) != len(key) {
		return fmt.Errorf("the key has %d bytes", len(r.Key))
	}
	copy(key[:], r.Key)
	d.browser.Store(key)
	return nil
}

func (d *Directory) loadToken(id string, text []byte) error {
	var r tokenRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	app, err := ParseID(r.App)
	if err != nil {
		return err
	}
	m := d.apps[app]
	if m == nil {
		return fmt.Errorf("its app %s is missing", app)
	}
	t, err := r.token(id, app)
	if err != nil {
		return err
	}
	d.tokens[id], m.tokens[id] = t, t
	return nil
}
