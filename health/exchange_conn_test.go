package health

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// What a server says before it is asked is read when it has been, or not at all.
func TestAskFirst(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(net.Conn)
		want string
	}{
		"asked":  {func(c net.Conn) { _, _ = io.WriteString(c, "GET /") }, "hello"},
		"closed": {func(c net.Conn) { _ = c.Close() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				servers := &pipes{serve: func(c net.Conn) {
					go func() { _, _ = io.Copy(io.Discard, c) }()
					_, _ = io.WriteString(c, "hello")
				}}
				e := exchange{target: over(servers)}
				defer e.begin(t.Context())()
				conn, err := e.dial(t.Context(), "tcp", "")
				if err != nil {
					t.Fatal(err)
				}
				read := make(chan string)
				go func() {
					text, _ := io.ReadAll(conn)
					read <- string(text)
				}()
				synctest.Wait()
				select {
				case text := <-read:
					t.Errorf("%q is read at once", text)
				default:
				}
				c.end(conn)
				if text := <-read; text != c.want {
					t.Errorf("%q is read, want %q", text, c.want)
				}
			})
		})
	}
}
