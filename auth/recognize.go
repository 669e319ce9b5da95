package auth

import "context"

// Recognize returns the principal of somebody whom a door has verified by other
// means than a secret, such as a client's certificate: all of the app with that
// full name, until then (Unix milliseconds; 0 is never). Errors: *InputError for
// what is no app's name, ErrNoApp.
func (d *Directory) Recognize(ctx context.Context, name string, until int64) (*Principal, error) {
	id, err := ParseID(name)
	if err != nil {
		return nil, err
	}
	app, err := d.App(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Principal{App: app, Until: until}, nil
}
