package health

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
)

// http1 asks by HTTP/1.1, on a connection for each request. An [http.Transport] would start
// two goroutines for it, whose switches cost more than the request, and it writes into the
// log of the program what a server sends before it is asked. About a server that breaks
// the rules of HTTP/2 it also writes a line there, which nothing prevents.
type http1 struct{ *exchange }

// RoundTrip implements [http.RoundTripper].
func (h http1) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := h.dial(req.Context(), "", "")
	if err != nil {
		return nil, err
	}
	last := *req
	last.Close = req.Header.Get("Connection") == ""
	if err := last.Write(conn); err != nil {
		return nil, err
	}
	left := &io.LimitedReader{R: conn, N: mostHeader}
	answer := bufio.NewReaderSize(left, 1<<10)
	for {
		resp, err := http.ReadResponse(answer, req)
		switch {
		case err != nil && left.N <= 0:
			return nil, fmt.Errorf("the header of the answer has more than %d KiB", mostHeader>>10)
		case err != nil:
			return nil, err
		case resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols:
			left.N = mostRead
			return resp, nil
		}
	}
}
