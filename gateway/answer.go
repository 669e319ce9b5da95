package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/cubbykv/cubby/internal/kverr"
)

// failure is an answer other than 200.
type failure struct {
	status int
	err    *kverr.Error
}

func (f *failure) Error() string { return f.err.Error() }

func refusal(status int, code kverr.Code, message, hint string) *failure {
	return &failure{status, kverr.New(code, message).WithHint(hint)}
}

// failed is the answer to a request whose command was refused or failed with the
// text of an error reply.
func failed(text string) *failure {
	err := kverr.Parse(text)
	return &failure{statusOf(err.Code), err}
}

// statusOf is the one place that maps codes to statuses. All others are the
// request's own fault.
func statusOf(code kverr.Code) int {
	switch code {
	case kverr.NoAuth, kverr.WrongPass:
		return http.StatusUnauthorized
	case kverr.NoPerm:
		return http.StatusForbidden
	case kverr.SizeExceeded:
		return http.StatusRequestEntityTooLarge
	case kverr.RateLimited:
		return http.StatusTooManyRequests
	case kverr.PlatformError:
		return http.StatusInternalServerError
	case kverr.Misconf, kverr.OOM, kverr.Busy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// errorBody is what every error looks like. Error is the text that a Redis
// client would see; the other members are its parts.
type errorBody struct {
	Error   string `json:"error"`
	Code    string `json:"code"` // as SDKs raise it
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func bodyOf(err *kverr.Error) errorBody {
	return errorBody{err.Error(), clientCode(err.Code), err.Message, err.Hint}
}

// clientCode is the word that SDKs raise.
func clientCode(code kverr.Code) string {
	switch code {
	case kverr.NoAuth, kverr.WrongPass:
		return "unauthorized"
	case kverr.NoPerm:
		return "forbidden"
	case kverr.Err:
		return "bad_input"
	}
	return strings.ToLower(string(code))
}

// fail writes an error. Its status and body are all that a client learns.
func fail(w http.ResponseWriter, r *http.Request, f *failure) {
	h := w.Header()
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if f.err.Code == kverr.RateLimited {
		h.Set("Retry-After", strconv.Itoa(retrySeconds(f.err.Message)))
	}
	text, err := json.Marshal(bodyOf(f.err))
	if err != nil { // strings always encode
		text = []byte(`{"error":"PLATFORM_ERROR"}`)
	}
	send(w, r, f.status, text)
}

// retrySeconds finds the wait in the text of RATE_LIMITED, which counts in
// milliseconds. Retry-After counts in whole seconds.
func retrySeconds(message string) int {
	for word := range strings.FieldsSeq(message) {
		if ms, err := strconv.Atoi(word); err == nil {
			return max(1, (ms+999)/1000)
		}
	}
	return 1
}

// send writes a JSON body.
func send(w http.ResponseWriter, r *http.Request, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if len(text) >= compressFrom && acceptsGzip(r) {
		text = compressed(text)
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text) //nolint:gosec // it is JSON, and said to be; the client may have gone
}
