package lvs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	connectionsHeader = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
	originsHeader     = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n"
	webRow            = "TCP C0000201 9C40 0AA8005B 0050 0AA8005E 0050 ESTABLISHED     899\n"
)

// textHost returns a host whose listings are a text.
func textHost(t *testing.T, text string) (*Host, *textFile) {
	t.Helper()
	_, h := simulatedHost(t)
	f := &textFile{files: h.guard.files, text: text}
	h.guard.files = f
	return h, f
}

// textFile counts how often it is open.
type textFile struct {
	files
	text   string
	reads  func(io.Reader) io.Reader
	opened int
	closed int
}

func (f *textFile) Open(string) (io.ReadCloser, error) {
	f.opened++
	var r io.Reader = strings.NewReader(f.text)
	if f.reads != nil {
		r = f.reads(r)
	}
	return openText{r, f}, nil
}

type openText struct {
	io.Reader
	file *textFile
}

func (o openText) Close() error { o.file.closed++; return nil }

// readConnections parses a listing.
func readConnections(from io.Reader) (all []Connection, err error) {
	r := newConnectionReader(from)
	for {
		c, err := r.next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, *c)
	}
}

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestConnectionRows(t *testing.T) {
	web := Connection{Protocol: ProtocolTCP, Client: addrPort("192.0.2.1:40000"), VIP: addrPort("10.168.0.91:80"), Server: addrPort("10.168.0.94:80"), State: StateEstablished, Expires: 899 * time.Second}
	with := func(change func(c *Connection)) []Connection {
		c := web
		change(&c)
		return []Connection{c}
	}
	row := strings.TrimSuffix(webRow, "\n")
	for _, test := range []struct {
		name, text string
		want       []Connection
	}{
		{"none", connectionsHeader, nil},
		{"one", connectionsHeader + webRow, []Connection{web}},
		{"two", connectionsHeader + webRow + webRow, []Connection{web, web}},
		{"engine", connectionsHeader + row + " sip a@b\n", with(func(c *Connection) { c.Engine, c.Data = "sip", "a@b" })},
		{"engine with spaces in its data", connectionsHeader + row + " sip a b\n", with(func(c *Connection) { c.Engine, c.Data = "sip", "a b" })},
		{"engine without data", connectionsHeader + row + " sip \n", with(func(c *Connection) { c.Engine = "sip" })},
		{"origin", originsHeader + strings.Replace(webRow, "    899", "SYNC       899", 1), with(func(c *Connection) { c.Origin = OriginSync })},
		{"without engines, as before 2.6.36", strings.Replace(connectionsHeader, " PEName PEData", "", 1) + webRow, []Connection{web}},
		{"unknown columns behind", strings.Replace(connectionsHeader, "PEData", "PEData Mark Zone", 1) + row + " 7 lan\n" + row + " sip a@b 7 lan\n",
			append([]Connection{web}, with(func(c *Connection) { c.Engine, c.Data = "sip", "a@b" })...)},
		{"unknown columns between", strings.Replace(originsHeader, "State", "LocalIP State", 1) + strings.Replace(strings.Replace(webRow, "ESTAB", "0A000001 ESTAB", 1), "    899", "LOCAL      899", 1),
			with(func(c *Connection) { c.Origin = OriginLocal })},
		{"other protocols", connectionsHeader + strings.Replace(webRow, "TCP", "ICMP", 1) + strings.Replace(webRow, "TCP", "IP_47", 1),
			append(with(func(c *Connection) { c.Protocol = 1 }), with(func(c *Connection) { c.Protocol = 47 })...)},
		{"mixed families", connectionsHeader + "TCP fd00:0001:0000:0000:0000:0000:0000:0001 9C40 fd00:0001:0000:0000:0000:0000:0000:0002 0050 0AA8005E 0050 ESTABLISHED     899\n",
			with(func(c *Connection) { c.Client, c.VIP = addrPort("[fd00:1::1]:40000"), addrPort("[fd00:1::2]:80") })},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, from := range map[string]io.Reader{
				"at once": strings.NewReader(test.text), "by bytes": iotest.OneByteReader(strings.NewReader(test.text)),
				"with the end": iotest.DataErrReader(strings.NewReader(test.text)),
			} {
				got, err := readConnections(from)
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Errorf("%s: %v (-want +got):\n%s", how, err, diff)
				}
			}
		})
	}
}

func TestConnectionRowsRefused(t *testing.T) {
	row := strings.TrimSuffix(webRow, "\n")
	for name, test := range map[string]struct{ text, says string }{
		"nothing":                   {"", "line 1, column 1: the header is missing"},
		"another header":            {"Flow table\n", "lacks the column Pro"},
		"a header without states":   {strings.Replace(connectionsHeader, "State", "S", 1), "lacks the column State"},
		"a port elsewhere":          {strings.Replace(connectionsHeader, "FromIP   FPrt", "FPrt FromIP", 1), "lacks the column FPrt"},
		"an engine without data":    {strings.Replace(connectionsHeader, "PEData", "", 1), "lacks the column PEName or PEData"},
		"a field too few":           {connectionsHeader + webRow + strings.Replace(webRow, "    899", "", 1), "line 3, column 59: "},
		"a field too many":          {originsHeader + row + " LOCAL 1 2\n", "does not have the columns"},
		"an ambiguous field":        {strings.Replace(connectionsHeader, "PEData", "PEData Mark", 1) + webRow, "does not have the columns"},
		"a protocol":                {connectionsHeader + strings.Replace(webRow, "TCP", "XTP", 1), `Pro is "XTP"`},
		"a protocol's number":       {connectionsHeader + strings.Replace(webRow, "TCP", "IP_70000", 1), "Pro is"},
		"an address":                {connectionsHeader + strings.Replace(webRow, "C0000201", "C000020G", 1), `line 2, column 5: FromIP is "C000020G"`},
		"a short address":           {connectionsHeader + strings.Replace(webRow, "0AA8005B", "0AA8005", 1), "column 19: ToIP is"},
		"a long port":               {connectionsHeader + strings.Replace(webRow, "9C40", "09C40", 1), `line 2, column 14: FPrt is "09C40"`},
		"seconds":                   {connectionsHeader + strings.Replace(webRow, "899", "-99", 1), `line 2, column 63: Expires is "-99"`},
		"too many seconds":          {connectionsHeader + strings.Replace(webRow, "899", "99999999999", 1), "Expires is"},
		"a line without its end":    {connectionsHeader + row, "line 2, column 66: the line ends early"},
		"a header without its end":  {"Pro", "line 1, column 4: the line ends early"},
		"a line of 64 KiB and more": {connectionsHeader + strings.Repeat("x", connectionsBlock), "line 2, column 65537: the line is too long"},
		"an empty line":             {connectionsHeader + "\n", "line 2, column 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readConnections(strings.NewReader(test.text))
			if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want ErrUnsupported with %q", err, test.says)
			}
			h, f := textHost(t, test.text)
			_, err = CollectConnections(h.Connections(t.Context(), ConnectionFilter{}))
			if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), connectionsPath) || f.opened != f.closed {
				t.Errorf("got %v, and %d of %d files were closed", err, f.closed, f.opened)
			}
		})
	}
}

// A loop that ends early closes the file, and reads no further.
func TestConnectionsEndedEarly(t *testing.T) {
	h, f := textHost(t, connectionsHeader+strings.Repeat(webRow, 3)+"rubbish\n")
	for range h.Connections(t.Context(), ConnectionFilter{}) {
		break
	}
	if f.opened != 1 || f.closed != 1 {
		t.Errorf("%d files were opened, and %d closed", f.opened, f.closed)
	}
}

// The file is opened for each loop, not for the sequence.
func TestConnectionsTwice(t *testing.T) {
	h, f := textHost(t, connectionsHeader+webRow)
	all := h.Connections(t.Context(), ConnectionFilter{})
	for range 2 {
		if list, err := CollectConnections(all); err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
	}
	if f.opened != 2 || f.closed != 2 {
		t.Errorf("%d files were opened, and %d closed", f.opened, f.closed)
	}
}

// Something happens while the first connection is looked at: the loop ends with its error
// when more has to be read.
func TestConnectionsInterrupted(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		do   func(h *Host, cancel context.CancelFunc)
		want error
	}{
		"the host is closed": {func(h *Host, _ context.CancelFunc) { must(t, h.Close()) }, ErrClosed},
		"the context ends":   {func(_ *Host, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"reading fails":      {func(*Host, context.CancelFunc) {}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h, f := textHost(t, connectionsHeader+webRow)
			f.reads = func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(broken)) }
			var got []error
			for _, err := range h.Connections(ctx, ConnectionFilter{}) {
				if got = append(got, err); len(got) == 1 {
					test.do(h, cancel)
				}
			}
			if len(got) != 2 || got[0] != nil || !errors.Is(got[1], test.want) || f.closed != 1 {
				t.Errorf("got %v, want a connection and %v; %d files were closed", got, test.want, f.closed)
			}
		})
	}
}

// A listing that has an entry twice is read again, because it may lack another one.
func TestWholeTable(t *testing.T) {
	other := strings.ReplaceAll(webRow, "9C40", "9C41")
	for name, test := range map[string]struct {
		listings []string // the last one again and again
		want     int
		opened   int
	}{
		"once each":                 {[]string{webRow + other}, 2, 1},
		"twice at first":            {[]string{webRow + webRow, webRow + other}, 2, 2},
		"twice, in another state":   {[]string{webRow + strings.ReplaceAll(webRow, "ESTABLISHED", "FIN_WAIT   "), webRow + other}, 2, 2},
		"twice whenever it is read": {[]string{webRow + other + webRow}, 2, mostListings},
	} {
		t.Run(name, func(t *testing.T) {
			h, f := textHost(t, "")
			f.reads = func(io.Reader) io.Reader {
				return strings.NewReader(connectionsHeader + test.listings[min(f.opened, len(test.listings))-1])
			}
			all, err := h.wholeTable(t.Context())
			if err != nil || len(all) != test.want || f.opened != test.opened {
				t.Errorf("got %v, %v, which took %d listings, want %d connections by %d", all, err, f.opened, test.want, test.opened)
			}
		})
	}
	h, _ := textHost(t, connectionsHeader+webRow+webRow)
	ctx, cancel := context.WithTimeout(t.Context(), betweenListings/2)
	defer cancel()
	if _, err := h.wholeTable(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the context ended", err)
	}
}

// Close waits for a read that is under way, and not for the loop.
func TestCloseAwaitsReadOfConnections(t *testing.T) {
	h, f := textHost(t, connectionsHeader+webRow)
	closed := make(chan error, 1)
	isReading := false
	f.reads = func(r io.Reader) io.Reader {
		return readerFunc(func(b []byte) (int, error) {
			isReading = true
			go func() {
				err := h.Close()
				if isReading {
					t.Error("Close returned while the file was read")
				}
				closed <- err
			}()
			<-h.life.Done()
			n, err := r.Read(b)
			isReading = false
			return n, err
		})
	}
	if all, err := CollectConnections(h.Connections(t.Context(), ConnectionFilter{})); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, %v, want ErrClosed", all, err)
	}
	must(t, <-closed)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// However long a listing is, reading it takes the same memory.
func TestConnectionsAllocations(t *testing.T) {
	allocs := func(rows int) float64 {
		h, _ := textHost(t, connectionsHeader+strings.Repeat(webRow, rows))
		return testing.AllocsPerRun(5, func() {
			for _, err := range h.Connections(context.Background(), ConnectionFilter{}) {
				must(t, err)
			}
		})
	}
	// Of 10,000 connections more, none may cost an allocation; a few come from elsewhere.
	if few, many := allocs(10), allocs(10_010); many > few+50 {
		t.Errorf("%v allocations for 10 connections, %v for 10,010", few, many)
	}
	r := newConnectionReader(bytes.NewReader(nil))
	for i := range 10 * maxInterned {
		_ = r.intern(bytes.Repeat([]byte("x"), i))
	}
	if len(r.texts) > maxInterned {
		t.Errorf("%d texts are kept", len(r.texts))
	}
}
