package health

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// HTTP asks for a page, and judges the status and, if it is asked to, the body. It
// connects to the target whatever the host, uses no proxy, and keeps no connection.
type HTTP struct {
	Path   string `json:"path"`   // with its query; "" is "/"
	Method string `json:"method"` // "" is GET

	// Host is what the server is asked as, and over TLS the name that its certificate must
	// have; "" is the address of the target.
	Host string `json:"host"`

	Headers map[string]string `json:"headers"` // headers to send
	Port    uint16            `json:"port"`    // 0 is that of the target
	TLS     *TLS              `json:"tls"`     // nil is plain HTTP

	// HTTP2 asks by HTTP/2 and accepts nothing else: without TLS, by prior knowledge. The
	// zero value asks by HTTP/1.1. If a server breaks the rules of HTTP/2, package net/http
	// writes a line to the standard logger of package log, which nothing prevents.
	HTTP2 bool `json:"http2"`

	Status string `json:"status"` // the statuses that work, such as "200-299,301"; "" is "200-299"
	Follow int    `json:"follow"` // how many redirects are followed, all to the target; 0 takes a redirect as the answer

	// What the body must be. It is not read if nothing is said about it, and a body of
	// more than 1 MiB fails a probe that needs all of it.
	Contains string `json:"contains"` // a text in it
	Matches  string `json:"matches"`  // a regular expression of package regexp that matches in it
	NoMatch  string `json:"noMatch"`  // a regular expression that must not match in it
	SHA256   string `json:"sha256"`   // its digest in hex
	MD5      string `json:"md5"`      // the same, as genhash of keepalived prints it

	// Content reports the SHA-256 of the body as [Answer.Content].
	Content bool `json:"content"`

	// ShareHeader is a header in which the server reports its share of the weight, such as
	// "0.5" or "50%"; without the header it reports nothing. What is not a share fails the
	// probe. "" is none.
	ShareHeader string `json:"shareHeader"`
}

// mostBody is how much of a body is read, in bytes.
const mostBody = 1 << 20

// mostRedirects is how many redirects can be followed.
const mostRedirects = 10

// String returns the probe in words, such as "http /ready" or "https HEAD example.org/".
func (p HTTP) String() string {
	scheme := p.TLS.scheme("http", "https")
	if p.HTTP2 {
		scheme = p.TLS.scheme("h2c", "h2")
	}
	return words(scheme, p.Method, p.Host+port(p.Port)+p.path())
}

func (p HTTP) path() string {
	if p.Path == "" {
		return "/"
	}
	return p.Path
}

func (p HTTP) method() string {
	if p.Method == "" {
		return http.MethodGet
	}
	return p.Method
}

func (p HTTP) readsBody() bool {
	return p.Contains != "" || p.Matches != "" || p.NoMatch != "" || p.SHA256 != "" || p.MD5 != "" || p.Content
}

func (p HTTP) validate() error {
	if err := validateHeaders(p.Headers); err != nil {
		return err
	}
	_, badStatus := parseStatuses(p.Status)
	_, badMatches := regexp.Compile(p.Matches)
	_, badNoMatch := regexp.Compile(p.NoMatch)
	_, badURL := url.ParseRequestURI("http://host" + p.path())
	switch {
	case p.path()[0] != '/' || badURL != nil || strings.ContainsAny(p.Path, " #"):
		return invalid("Path", "%q is not a path that begins with /, with a space as %%20 and # as %%23", p.Path)
	case !isToken(p.method()):
		return invalid("Method", "%q is not a method", p.Method)
	case p.Host != "" && !isHost(p.Host):
		return invalid("Host", "%q is not a name or an address, with or without a port", p.Host)
	case badStatus != nil:
		return invalid("Status", "%v", badStatus)
	case badMatches != nil:
		return invalid("Matches", "%v", badMatches)
	case badNoMatch != nil:
		return invalid("NoMatch", "%v", badNoMatch)
	case p.SHA256 != "" && !isDigest(p.SHA256, sha256.Size):
		return invalid("SHA256", "%q is not %d digits in hex", p.SHA256, 2*sha256.Size)
	case p.MD5 != "" && !isDigest(p.MD5, md5.Size):
		return invalid("MD5", "%q is not %d digits in hex", p.MD5, 2*md5.Size)
	case p.method() == http.MethodHead && p.readsBody():
		return invalid("Method", "HEAD has no body to look at")
	case p.Follow < 0 || p.Follow > mostRedirects:
		return invalid("Follow", "%d is out of range [0, %d]", p.Follow, mostRedirects)
	case p.ShareHeader != "" && !isToken(p.ShareHeader):
		return invalid("ShareHeader", "%q is not the name of a header", p.ShareHeader)
	}
	return p.TLS.validate()
}

// validateHeaders refuses headers that cannot be sent, and those that package net/http
// sends by its own rules.
func validateHeaders(headers map[string]string) error {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		field, canonical := fmt.Sprintf("Headers[%s]", name), http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return invalid(field, "is not the name of a header")
		case !isHeaderValue(headers[name]):
			return invalid(field, "%q is not the value of a header", headers[name])
		case canonical == "Host":
			return invalid(field, "has no effect; set Host")
		case slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Trailer"}, canonical):
			return invalid(field, "has no effect, because the request has no body")
		case seen[canonical]:
			return invalid(field, "is there twice, as %s", canonical)
		}
		seen[canonical] = true
	}
	return nil
}

func isHost(s string) bool {
	u, err := url.Parse("http://" + s + "/")
	return err == nil && u.Host == s && u.Hostname() != ""
}

// isToken reports whether a text can be a method or the name of a header.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func isDigest(s string, size int) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == size
}

// Probe asks for the page.
func (p HTTP) Probe(ctx context.Context, t Target) (Answer, error) {
	statuses, err := parseStatuses(p.Status)
	if err != nil {
		return Answer{}, err
	}
	host := p.Host
	if host == "" {
		host = t.authority(p.Port)
	}
	e := exchange{target: t, port: p.Port, secure: p.TLS, http2: p.HTTP2}
	if p.Host != "" {
		e.name = hostname(p.Host)
	}
	end := e.begin(ctx)
	defer end()
	req, err := http.NewRequestWithContext(e.ctx, p.method(), p.TLS.scheme("http", "https")+"://"+host+p.path(), nil)
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("User-Agent", userAgent)
	for name, value := range p.Headers {
		req.Header.Set(name, value)
	}
	resp, err := p.follow(e.transport(), req)
	if err != nil {
		return Answer{}, e.because(req, err)
	}
	if !statuses.has(resp.StatusCode) {
		return Answer{}, fmt.Errorf("the status is %s, and must be %s", resp.Status, statuses)
	}
	answer, err := p.share(resp.Header)
	if err == nil && p.readsBody() {
		answer.Content, err = p.body(ctx, resp.Body)
	}
	return answer, err
}

// follow does a request, and follows redirects as far as it should.
func (p HTTP) follow(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	if p.Follow == 0 {
		return transport.RoundTrip(req)
	}
	client := http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > p.Follow:
			return fmt.Errorf("more than %d redirects", p.Follow)
		case next.URL.Scheme != req.URL.Scheme:
			return fmt.Errorf("a redirect leads from %s to %s", req.URL.Scheme, next.URL.Scheme)
		}
		return nil
	}}
	return client.Do(req)
}

// share returns the answer, with the share that the server reports.
func (p HTTP) share(header http.Header) (Answer, error) {
	text := header.Get(p.ShareHeader)
	if p.ShareHeader == "" || text == "" {
		return Answer{}, nil
	}
	share, err := parseShare(text)
	if err != nil {
		return Answer{}, fmt.Errorf("header %s: %w", p.ShareHeader, err)
	}
	return Answer{Share: share, Reported: true}, nil
}

// body judges the body, and returns its digest if it is to be reported.
func (p HTTP) body(ctx context.Context, r io.Reader) (content string, err error) {
	body, err := io.ReadAll(io.LimitReader(r, mostBody+1))
	if err != nil {
		return "", because(ctx, fmt.Sprintf("read the body after %d bytes", len(body)), err)
	}
	whole := len(body) <= mostBody
	body = body[:min(len(body), mostBody)]
	if err := cmp.Or(mustMatch(body, []byte(p.Contains), p.Matches), mustNotMatch(body, p.NoMatch)); err != nil {
		return "", fmt.Errorf("the body %w; it has %d bytes%s: %q", err, len(body), orMore(whole), shown(body))
	}
	switch {
	case p.NoMatch == "" && p.SHA256 == "" && p.MD5 == "" && !p.Content:
		return "", nil
	case !whole:
		return "", errors.New("the body has more than 1 MiB")
	}
	if sum := fmt.Sprintf("%x", md5.Sum(body)); p.MD5 != "" && !strings.EqualFold(p.MD5, sum) {
		return "", fmt.Errorf("the MD5 of the body is %s, and must be %s", sum, p.MD5)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(body))
	if p.SHA256 != "" && !strings.EqualFold(p.SHA256, sum) {
		return "", fmt.Errorf("the SHA-256 of the body is %s, and must be %s", sum, p.SHA256)
	}
	if !p.Content {
		sum = ""
	}
	return sum, nil
}

// mustMatch refuses what does not contain a text or does not match a pattern.
func mustMatch(got, contains []byte, matches string) error {
	pattern, err := regexp.Compile(matches)
	switch {
	case err != nil:
		return err
	case !bytes.Contains(got, contains):
		return fmt.Errorf("does not contain %q", contains)
	case !pattern.Match(got):
		return fmt.Errorf("does not match %q", matches)
	}
	return nil
}

// mustNotMatch refuses what matches a pattern; "" matches nothing.
func mustNotMatch(got []byte, pattern string) error {
	compiled, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		return err
	case pattern != "" && compiled.Match(got):
		return fmt.Errorf("matches %q", pattern)
	}
	return nil
}

func orMore(whole bool) string {
	if whole {
		return ""
	}
	return " or more"
}

// authority returns the address of the target as an HTTP host.
func (t Target) authority(port uint16) string {
	if port == 0 {
		port = t.Addr.Port()
	}
	return net.JoinHostPort(t.host(), fmt.Sprint(port))
}

// host returns the address of the target as a name of TLS and HTTP: a zone means nothing
// elsewhere.
func (t Target) host() string { return t.Addr.Addr().WithZone("").String() }
