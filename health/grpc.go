package health

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// GRPC asks a server of gRPC by its health protocol, grpc.health.v1, over HTTP/2, with the
// restriction that [HTTP.HTTP2] has.
type GRPC struct {
	Service string `json:"service"` // the name that the server knows its health by; "" is the server as a whole

	// Host is what the server is asked as, and over TLS the name that its certificate must
	// have; "" is the address of the target.
	Host string `json:"host"`

	Port uint16 `json:"port"` // 0 is that of the target
	TLS  *TLS   `json:"tls"`  // nil is HTTP/2 without TLS
}

// Errors of a server that answers by gRPC, and does not say that it serves.
var (
	// ErrNotServing is the error of a server that says it does not serve, or that it does
	// not know whether it does.
	ErrNotServing = errors.New("not serving")

	// ErrUnknownService is the error of a server that does not know [GRPC.Service].
	ErrUnknownService = errors.New("unknown service")

	// ErrNoHealthService is the error of a server of gRPC without the health protocol.
	ErrNoHealthService = errors.New("the server has no grpc.health.v1")
)

// String returns the probe in words, such as "grpc orders".
func (p GRPC) String() string {
	return words(p.TLS.scheme("grpc", "grpcs"), p.Host+port(p.Port), p.Service)
}

func (p GRPC) validate() error {
	if p.Host != "" && !isHost(p.Host) {
		return invalid("Host", "%q is not a name or an address, with or without a port", p.Host)
	}
	return p.TLS.validate()
}

// Probe asks for the health of the service.
func (p GRPC) Probe(ctx context.Context, t Target) (Answer, error) {
	host := p.Host
	if host == "" {
		host = t.authority(p.Port)
	}
	e := exchange{target: t, port: p.Port, secure: p.TLS, http2: true}
	if p.Host != "" {
		e.name = hostname(p.Host)
	}
	end := e.begin(ctx)
	defer end()
	url := p.TLS.scheme("http", "https") + "://" + host + "/grpc.health.v1.Health/Check"
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, url, bytes.NewReader(healthRequest(p.Service)))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("User-Agent", userAgent)
	resp, err := e.transport().RoundTrip(req)
	if err != nil {
		return Answer{}, e.because(req, err)
	}
	defer resp.Body.Close()
	return Answer{}, p.judge(ctx, resp)
}

// healthRequest returns the message HealthCheckRequest in the frame of gRPC.
func healthRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, 1<<3|2) // field 1, of a length
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// mostMessage is how much of an answer of gRPC is read, in bytes. One needs two.
const mostMessage = 4 << 10

func (p GRPC) judge(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the status of HTTP is %s", resp.Status)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/grpc") {
		return fmt.Errorf("the answer is %q, and must be application/grpc", clip(kind))
	}
	frame, err := io.ReadAll(io.LimitReader(resp.Body, mostMessage+1))
	if err != nil {
		return because(ctx, "read the answer", err)
	}
	if len(frame) > mostMessage {
		return fmt.Errorf("the answer has more than %d bytes", mostMessage)
	}
	code, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" { // without a body, the status is in the header
		code, text = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch code {
	case "0":
	case "5":
		return fmt.Errorf("%w %q", ErrUnknownService, p.Service)
	case "12":
		return ErrNoHealthService
	case "":
		return errors.New("the answer has no grpc-status")
	default:
		return fmt.Errorf("the status of gRPC is %s: %q", clip(code), clip(text))
	}
	status, err := servingStatus(frame)
	if err != nil {
		return fmt.Errorf("the answer %x: %w", shown(frame), err)
	}
	if status != serving {
		return fmt.Errorf("%w: the status is %s", ErrNotServing, status)
	}
	return nil
}

// servingState is an enum of the health protocol.
type servingState uint64

const serving servingState = 1

func (s servingState) String() string {
	switch s {
	case 0:
		return "UNKNOWN"
	case serving:
		return "SERVING"
	case 2:
		return "NOT_SERVING"
	case 3:
		return "SERVICE_UNKNOWN"
	}
	return fmt.Sprintf("%d", uint64(s))
}

var errMalformed = errors.New("is not a HealthCheckResponse")

// servingStatus reads the message HealthCheckResponse in the frame of gRPC.
func servingStatus(frame []byte) (status servingState, err error) {
	if len(frame) < 5 || frame[0] != 0 || int(binary.BigEndian.Uint32(frame[1:])) != len(frame)-5 {
		return 0, errMalformed
	}
	for rest := frame[5:]; len(rest) > 0; {
		tag, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, errMalformed
		}
		rest = rest[n:]
		value, size := fieldSize(tag, rest)
		if size < 0 || size > len(rest) {
			return 0, errMalformed
		}
		if tag == 1<<3 { // field 1, a number
			status = servingState(value)
		}
		rest = rest[size:]
	}
	return status, nil
}

// fieldSize returns the size of the field of a tag, or -1, and its value if it is a
// number of variable length.
func fieldSize(tag uint64, rest []byte) (value uint64, size int) {
	switch tag & 7 {
	case 0:
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, -1
		}
		return value, n
	case 1:
		return 0, 8
	case 2:
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)) {
			return 0, -1
		}
		return 0, n + int(length)
	case 5:
		return 0, 4
	}
	return 0, -1
}
