package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"
)

// TLS is how a probe secures its connection, and what it wants of the certificate. The
// zero value verifies it as a browser does, with the authorities that the host trusts.
type TLS struct {
	// ServerName is the name that is asked for, and that the certificate must have; "" is
	// that of the probe, such as [HTTP.Host], or else the address.
	ServerName string `json:"serverName"`

	// CA has the only authorities that are trusted, in PEM; "" is CAFile.
	CA string `json:"ca"`

	// CAFile is a file with what could be in CA; "" trusts the authorities that the host
	// trusts. It is read by each probe, and so are the files below.
	CAFile string `json:"caFile"`

	// CertFile is a file with the certificate, in PEM, by which the probe proves to the
	// server who it is, and those that signed it; "" has none. In TLS 1.3, a server that
	// refuses it says so only in its first answer: a TCP probe without Expect does not
	// notice.
	CertFile string `json:"certFile"`

	// KeyFile is a file with the key of the certificate, in PEM; "" is CertFile.
	KeyFile string `json:"keyFile"`

	// Insecure accepts any certificate, also one that has expired or is of another
	// server: the probe shows that something there speaks TLS, and not what.
	Insecure bool `json:"insecure"`

	// MinValidity is how long the server's certificate, and those that signed it, must
	// remain valid; 0 is until now. With Insecure, only the certificate itself counts, and
	// with 0 not even that.
	MinValidity time.Duration `json:"minValidity"`
}

// MarshalJSON returns the fields in JSON, as in a [Policy].
func (s TLS) MarshalJSON() ([]byte, error) { return encode(&s) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (s *TLS) UnmarshalJSON(text []byte) error { return decode(text, s) }

// scheme returns one of two words; a nil TLS is plain.
func (s *TLS) scheme(plain, secure string) string {
	if s == nil {
		return plain
	}
	return secure
}

func (s *TLS) validate() error {
	switch {
	case s == nil:
		return nil
	case s.CA != "" && s.CAFile != "":
		return invalid("TLS.CAFile", "and CA are both set")
	case s.Insecure && s.CA+s.CAFile != "":
		return invalid("TLS.Insecure", "accepts any certificate, so that CA and CAFile have no effect")
	case s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)):
		return invalid("TLS.CA", "has no certificate in PEM")
	case s.KeyFile != "" && s.CertFile == "":
		return invalid("TLS.KeyFile", "needs CertFile")
	case s.MinValidity < 0:
		return invalid("TLS.MinValidity", "%s is negative", s.MinValidity)
	}
	return nil
}

// client makes TLS of a connection. host is the name if there is no ServerName.
func (s *TLS) client(ctx context.Context, conn net.Conn, host string, protocols ...string) (net.Conn, error) {
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	own, err := s.certificates()
	if err != nil {
		return nil, err
	}
	if s.ServerName != "" {
		host = s.ServerName
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName: host, RootCAs: roots, Certificates: own, InsecureSkipVerify: s.Insecure, NextProtos: protocols,
	})
	if err := secure.Handshake(); err != nil { // which ends when the connection is closed
		return nil, because(ctx, "TLS handshake", err)
	}
	return secure, s.checkValidity(secure.ConnectionState(), time.Now())
}

// certificates returns those of the probe; nil if it has none.
func (s *TLS) certificates() ([]tls.Certificate, error) {
	if s.CertFile == "" {
		return nil, nil
	}
	cert, err := readHead(s.CertFile, mostPEM)
	if err != nil {
		return nil, err
	}
	key := cert
	if s.KeyFile != "" {
		if key, err = readHead(s.KeyFile, mostPEM); err != nil {
			return nil, err
		}
	}
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", s.CertFile, err)
	}
	return []tls.Certificate{own}, nil
}

// mostPEM is how much of a file of certificates is read, in bytes. Those of all public
// authorities need a fifth of it.
const mostPEM = 1 << 20

// roots returns the authorities; nil are those of the host.
func (s *TLS) roots() (*x509.CertPool, error) {
	pem := []byte(s.CA)
	switch {
	case s.CAFile != "":
		var err error
		if pem, err = readHead(s.CAFile, mostPEM); err != nil {
			return nil, err
		}
	case s.CA == "":
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA %s has no certificate in PEM", s.CAFile)
	}
	return roots, nil
}

// checkValidity refuses certificates that end too soon.
func (s *TLS) checkValidity(state tls.ConnectionState, now time.Time) error {
	if s.MinValidity == 0 {
		return nil
	}
	chains := state.VerifiedChains
	if s.Insecure {
		chains = [][]*x509.Certificate{state.PeerCertificates[:1]}
	}
	var best *x509.Certificate // the first to end, of the chain that lasts longest
	for _, chain := range chains {
		first := chain[0]
		for _, c := range chain {
			if c.NotAfter.Before(first.NotAfter) {
				first = c
			}
		}
		if best == nil || first.NotAfter.After(best.NotAfter) {
			best = first
		}
	}
	if left := best.NotAfter.Sub(now); left < s.MinValidity {
		return fmt.Errorf("the certificate of %s ends at %s, in %s, and must last %s",
			best.Subject, best.NotAfter.UTC().Format(time.RFC3339), left.Round(time.Second), s.MinValidity)
	}
	return nil
}
