package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second // of a request that is to be answered

// newLab builds a lab that ends with the test.
func newLab(t *testing.T, o Options) *Lab {
	t.Helper()
	l, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// labs are all that there are.
func labs() (all []Options) {
	for _, mode := range Modes {
		for _, family := range Families {
			if family != "mixed" || mode == "ipip" || mode == "gue" || mode == "gre" {
				all = append(all, Options{Mode: mode, Family: family})
			}
		}
	}
	for _, family := range Families {
		all = append(all, Options{Mode: "ipip", Family: family, Encrypt: true})
	}
	return all
}

// Every mode carries requests from clients to every real server, in the order of
// the scheduler, and the servers see who the client is, but for full NAT.
func TestLabs(t *testing.T) {
	testbed.InKernel(t)
	for _, o := range labs() {
		t.Run(o.title(), func(t *testing.T) {
			ctx := context.Background()
			l := newLab(t, o)
			wire, err := l.Capture()
			if err != nil {
				t.Fatal(err)
			}
			err = l.SetUp(ctx)
			if o.Mode == "fullnat" && !testbed.HasNFT() {
				if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "nft_chain_nat") {
					t.Errorf("without nftables: got %v, want ErrUnsupported with what to do", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l.mustBalance(t, 6)
			if seen := wire.Stop(); o.Encrypt && (len(seen) != 1 || seen[unix.IPPROTO_ESP] == 0) {
				t.Errorf("on the wire to the servers there were packets by protocol %v, want only ESP, 50", seen)
			}
			if err := l.Undo(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// mustBalance sends requests, and expects each to reach the right server.
func (l *Lab) mustBalance(t *testing.T, requests int) {
	t.Helper()
	reached := make(map[string]bool)
	err := l.Visit(context.Background(), requests, patience, func(a Answer) {
		reached[a.Server] = true
		if !a.Good() {
			t.Errorf("%s was answered by %q, want %s: %v", a.Client, a.Server, a.Want, a.Err)
		} else if hidden := a.Saw.Addr() != a.Client.Addr(); hidden != (l.plan.options.Mode == "fullnat") {
			t.Errorf("%s saw %s, and the client was %s", a.Server, a.Saw, a.Client)
		}
	})
	if err != nil || len(reached) != len(l.Servers) {
		t.Errorf("%d of %d real servers were reached: %v", len(reached), len(l.Servers), err)
	}
	if asked := l.Asked(); len(asked) != len(l.Servers) {
		t.Errorf("%d of %d real servers took their page from the shared server: %v", len(asked), len(l.Servers), asked)
	}
}

// TestLabWithoutSharedServer shows that the real servers have nothing to serve
// without the shared tier.
func TestLabWithoutSharedServer(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	l := newLab(t, Options{Mode: "dr"})
	if err := l.SetUp(ctx); err != nil {
		t.Fatal(err)
	}
	l.web[0].Close() // the first that was started
	err := l.Visit(ctx, 2, patience, func(a Answer) {
		if a.Good() || a.Err == nil || !strings.Contains(a.Err.Error(), a.Want+" cannot reach the shared server") {
			t.Errorf("%s: got the page %q of %q and the error %v", a.Client, a.Page, a.Server, a.Err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// Each scheduler of the seed, and those that go by the client, with more servers.
func TestLabSchedulers(t *testing.T) {
	testbed.InKernel(t)
	for _, s := range []lvs.Scheduler{lvs.WRR, lvs.LC, lvs.WLC, lvs.SH, lvs.MH} {
		t.Run(s.String(), func(t *testing.T) {
			l := newLab(t, Options{Mode: "dr", Scheduler: s, Servers: 3})
			if err := l.SetUp(context.Background()); err != nil {
				t.Fatal(err)
			}
			l.mustBalance(t, clients)
		})
	}
}

// Without its key an encrypted tunnel sends nothing, from the first packet on;
// without its policy it is found to be in clear text.
func TestLabWithoutKey(t *testing.T) {
	testbed.InKernel(t)
	ctx := context.Background()
	for _, family := range Families {
		t.Run(family, func(t *testing.T) {
			l := newLab(t, Options{Mode: "ipip", Family: family, Encrypt: true, Servers: 1})
			var keyless lvs.Setup
			for _, s := range l.Director.Setup {
				if _, ok := s.Want.(lvs.IPsecAssociation); !ok {
					keyless = append(keyless, s)
				}
			}
			l.Director.Setup = keyless
			wire, err := l.Capture()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.SetUp(ctx); err != nil {
				t.Fatal(err)
			}
			if err := l.carries(impatience); err == nil {
				t.Error("a request was answered")
			}
			if seen := wire.Stop(); len(seen) != 0 {
				t.Errorf("on the wire to the server there were packets by protocol %v, want none", seen)
			}
		})
	}
}

// A lab that is interrupted while it is set up has its hosts as they were, and can
// be set up again.
func TestLabInterrupted(t *testing.T) {
	testbed.InKernel(t)
	l := newLab(t, Options{Mode: "ipip"})
	for _, h := range l.balancing() {
		loadModules(context.Background(), h.Setup) // which stay loaded
	}
	before := l.todo(t)
	for after := int64(1); ; after *= 2 {
		ctx := endAfter(context.Background(), after)
		err := l.SetUp(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after %d looks: %v", after, err)
		}
		if now := l.todo(t); now != before {
			t.Fatalf("interrupted after %d looks, there is to do\n%s\nand was before\n%s", after, now, before)
		}
	}
	l.mustBalance(t, 2)
}

// todo is what the hosts and the table still want.
func (l *Lab) todo(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	table, err := l.Director.Client().Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintln(table)
	for _, h := range l.balancing() {
		plan, err := h.Plan(ctx, h.Setup)
		if err != nil {
			t.Fatal(err)
		}
		all += plan.String()
	}
	return all
}

// ending is a context that ends when it was looked at so many times.
type ending struct {
	context.Context
	left atomic.Int64
	end  context.CancelFunc
}

func endAfter(parent context.Context, looks int64) *ending {
	ctx, cancel := context.WithCancel(parent)
	e := &ending{Context: ctx, end: cancel}
	e.left.Store(looks)
	return e
}

func (e *ending) look() {
	if e.left.Add(-1) == 0 {
		e.end()
	}
}

func (e *ending) Done() <-chan struct{} { e.look(); return e.Context.Done() }

func (e *ending) Err() error { e.look(); return e.Context.Err() }
