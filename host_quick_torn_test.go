package lvs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// tornTable lists a service twice in so many readings.
type tornTable struct {
	files
	torn  int
	reads int
}

func (f *tornTable) ReadFile(string) ([]byte, error) {
	const service = "TCP  0A010001:0050 rr  \n"
	f.reads++
	if f.reads <= f.torn {
		return []byte(quickHead + service + service), nil
	}
	return []byte(quickHead + service), nil
}

// A table that changed while it was read is read again, for a while, in fake time.
func TestQuickTableTorn(t *testing.T) {
	for torn, want := range map[int]error{0: nil, 1: nil, listRounds - 1: nil, listRounds: ErrUnstable} {
		synctest.Test(t, func(t *testing.T) {
			_, h := simulatedHost(t)
			f := &tornTable{files: h.guard.files, torn: torn}
			h.guard.files = f
			table, err := h.QuickTable(context.Background())
			if want != nil {
				ofKind(t, "a table that always changes", err, want)
			} else if err != nil || len(table.Services) != 1 || f.reads != torn+1 {
				t.Errorf("%d torn readings: %d services in %d readings, %v", torn, len(table.Services), f.reads, err)
			}
			must(t, h.Close())
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, h := simulatedHost(t)
	h.guard.files = cancelling{&tornTable{files: h.guard.files, torn: 1}, cancel}
	if _, err := h.QuickTable(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends between readings: %v", err)
	}
}

// cancelling cancels while it reads.
type cancelling struct {
	*tornTable
	cancel context.CancelFunc
}

func (c cancelling) ReadFile(path string) ([]byte, error) {
	c.cancel()
	return c.tornTable.ReadFile(path)
}

// leaving lists a table without a service once, as the kernel may while others change.
type leaving struct {
	files
	texts []string
}

func (f *leaving) ReadFile(string) ([]byte, error) {
	text := f.texts[0]
	f.texts = f.texts[1:]
	return []byte(quickHead + text), nil
}

// A watch believes that a service is gone after a second look.
func TestWatchSecondLook(t *testing.T) {
	const web, dns = "TCP  0A010001:0050 rr  \n", "UDP  0A010001:0035 rr  \n"
	_, h := simulatedHost(t)
	f := &leaving{h.guard.files, []string{web + dns, web, web + dns, dns, web, web, web}}
	h.guard.files = f
	w := watcher{host: h}
	for i, want := range []string{
		"",
		"", // the second look finds it
		"", // each look lacks another one
		"service udp://10.1.0.1:53 removed\n",
	} {
		r, err := w.read(t.Context())
		must(t, err)
		got := ""
		for _, e := range r.Events {
			got += e.String() + "\n"
		}
		compare(t, "events of reading "+string(rune('0'+i)), want, got)
	}
	if len(f.texts) != 0 {
		t.Errorf("%d readings were not needed", len(f.texts))
	}
}
