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
	if err.Code == kverr.Err && strings.HasPrefix(err.Message, namespaceFull) {
		err = kverr.New(kverr.RateLimited, err.Message).WithHint("requests and streams that are open count as connections")
	}
	return &failure{statusOf(err.Code), err}
}

// namespaceFull is how the engine says, in Redis's words, that a namespace has as
// many connections as it may. That is no fault of the request, which may try
// again.
const namespaceFull = "max number of clients reached"

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
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	if f.err.Code == kverr.RateLimited {
		h.Set("Retry-After", strconv.Itoa(retrySeconds(f.err.Message)))
	}
	text, err := json.Marshal(bodyOf(f.err))
	if err != nil { // strings always encode
		text = []byte(`{"error":"PLATFORM_ERROR"}`)
	}
	text, encoding := encode(r, text)
	send(w, f.status, text, encoding)
}

// retrySeconds finds the wait in the text of RATE_LIMITED, which counts in
// milliseconds. Retry-After counts in whole seconds.
func retrySeconds(message string) int {
	if strings.HasPrefix(message, namespaceFull) {
		return 1
	}
	for word := range strings.FieldsSeq(message) {
		if ms, err := strconv.Atoi(word); err == nil {
			return max(1, (ms+999)/1000)
		}
	}
	return 1
}

// encode compresses a JSON body where that pays and the client takes it.
func encode(r *http.Request, text []byte) (body []byte, encoding string) {
	if len(text) < compressFrom || !acceptsGzip(r) {
		return text, ""
	}
	return compressed(text), "gzip"
}

// send writes a JSON body.
func send(w http.ResponseWriter, status int, body []byte, encoding string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec,nolintlint // it is JSON, and said to be; gosec does not always think so
}
