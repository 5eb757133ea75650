package keepalived

import (
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/golvs/lvs/health"
)

// httpCheck reads an HTTP_GET or SSL_GET: each url becomes a check.
func (m *maker) httpCheck(c *checker) ([]health.Check, error) {
	var tls *health.TLS
	if c.statement.keyword() == "SSL_GET" {
		tls = &health.TLS{Insecure: true, CertFile: m.tls.CertFile, KeyFile: m.tls.KeyFile}
	}
	var urls []*statement
	err := m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "url":
			urls = append(urls, s)
		case "virtualhost":
			c.host, err = s.one()
		case "nb_get_retry":
			c.retry, err = s.number(0, math.MaxInt32-1)
		case "sni_name":
			if tls != nil {
				tls.ServerName, err = s.one()
			}
		case "http_protocol":
			return true, m.httpProtocol(s)
		case "enable_sni", "fast_recovery", "tls_compliant":
			// A probe names the host over TLS, asks for all pages at once, and cuts connections.
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	var probes []health.Probe
	for _, s := range urls {
		p := health.HTTP{Port: c.port, TLS: tls, Host: c.host}
		ok, err := m.url(&p, s)
		if err != nil {
			return nil, err
		}
		if ok {
			probes = append(probes, p)
		}
	}
	if len(probes) == 0 {
		m.note(c.statement, "keepalived leaves it out: it has no url")
	}
	return c.checks(1, 3*time.Second, probes...)
}

// identity reads the block SSL, which has the certificate of the checks.
func (m *maker) identity(s *statement) (err error) {
	for _, line := range s.children {
		switch line.keyword() {
		case "certificate":
			m.tls.CertFile, err = line.one()
		case "key":
			m.tls.KeyFile, err = line.one()
		case "ca":
			m.note(line, "keepalived verifies no certificate, and neither do the checks: set health.TLS.CAFile, and not Insecure, to verify them")
		case "password":
			m.note(line, "the key must not be encrypted")
		default:
			m.unknown(line)
		}
		if err != nil {
			return err
		}
	}
	if m.tls.KeyFile != "" && m.tls.CertFile == "" {
		m.note(s, "a key without a certificate means nothing")
		m.tls.KeyFile = ""
	}
	return nil
}

func (m *maker) httpProtocol(s *statement) error {
	version, err := s.one()
	if err != nil {
		return err
	}
	switch version {
	case "1.1":
	case "1.0", "1.0C", "1.0c":
		m.note(s, "probes ask by HTTP/1.1")
	default:
		return s.word(1).errorf("%s: %q is not 1.0, 1.0C or 1.1", s.keyword(), version)
	}
	return nil
}

// url reads a url block. ok reports whether it asks for anything.
func (m *maker) url(p *health.HTTP, s *statement) (ok bool, err error) {
	e := expression{}
	for _, line := range s.children {
		switch line.keyword() {
		case "path":
			p.Path, err = line.one()
		case "digest":
			p.MD5, err = line.one()
		case "status_code":
			err = statuses(p, line)
		case "virtualhost":
			p.Host, err = line.one()
		case "tls_compliant":
		default:
			var known bool
			if known, err = e.read(m, line); !known {
				m.unknown(line)
			}
		}
		if err != nil {
			return false, err
		}
	}
	if p.Path == "" {
		m.note(s, "keepalived leaves it out: it has no path")
		return false, nil
	}
	if e.noMatch {
		p.NoMatch = e.pattern(m)
	} else {
		p.Matches = e.pattern(m)
	}
	return true, nil
}

// statuses adds the status codes of a line.
func statuses(p *health.HTTP, s *statement) error {
	for i, text := range s.args() {
		from, to, isRange := strings.Cut(text, "-")
		if !isRange {
			to = from
		}
		least, err := s.numberAt(i+1, from, 100, 599)
		if err != nil {
			return err
		}
		if _, err := s.numberAt(i+1, to, least, 599); err != nil {
			return err
		}
		if p.Status != "" {
			p.Status += ","
		}
		p.Status += text
	}
	return nil
}

// expression is a regular expression that is collected from lines of a url.
type expression struct {
	line    *statement // with the expression; nil if there is none
	text    string
	flags   string
	noMatch bool
	bad     string // why it cannot be used; "" if it can
}

// read reads a line about a regular expression.
func (e *expression) read(m *maker, s *statement) (known bool, err error) {
	switch s.keyword() {
	case "regex":
		e.line = s
		e.text, err = s.quoted()
	case "regex_no_match":
		e.noMatch = true
	case "regex_min_offset", "regex_max_offset":
		e.bad = "package regexp knows no offset"
	case "regex_options":
		e.options(s.args())
	case "regex_stack":
		m.note(s, "regular expressions need no stack")
	default:
		return false, nil
	}
	return true, err
}

// options adds the flags that package regexp has, too.
func (e *expression) options(names []string) {
	for _, name := range names {
		switch name {
		case "caseless":
			e.flags += "i"
		case "dotall":
			e.flags += "s"
		case "multiline":
			e.flags += "m"
		case "ungreedy":
			e.flags += "U"
		case "utf", "no_auto_capture", "no_auto_possess", "no_start_optimize", "no_dotstar_anchor", "never_backslash_c":
			// They change nothing that a match without a capture could show.
		default:
			e.bad = "package regexp has no option " + name
		}
	}
}

// pattern returns the expression of package regexp, "" with a note if there is none.
func (e *expression) pattern(m *maker) string {
	if e.line == nil {
		return ""
	}
	text := e.text
	if e.flags != "" {
		text = "(?" + e.flags + ")" + text
	}
	if _, err := regexp.Compile(text); err != nil && e.bad == "" {
		e.bad = err.Error()
	}
	if e.bad != "" {
		m.note(e.line, "the page is not compared with it: %s", e.bad)
		return ""
	}
	return text
}
