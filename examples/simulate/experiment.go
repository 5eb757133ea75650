package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// experiment is what is simulated.
type experiment struct {
	Kernel       string            `json:"kernel,omitempty"` // "" is the simulator's default
	MHTableIndex int               `json:"mhTableIndex,omitempty"`
	Schedulers   []scheduler       `json:"schedulers"`
	Servers      int               `json:"servers"`
	Weights      []int             `json:"weights"` // used again when there are more servers
	Mode         lvs.Mode          `json:"mode"`
	Workload     workload.Workload `json:"workload"`
}

// usual is the experiment without flags.
func usual() experiment {
	return experiment{
		Schedulers: []scheduler{{name: lvs.RR}, {name: lvs.WRR}, {name: lvs.WLC}, {name: lvs.SED}, {name: lvs.MH, flags: lvs.HashFallback}},
		Servers:    4, Weights: []int{1},
		Workload: workload.Workload{
			Service: lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80")), Duration: 2 * time.Minute,
			Arrivals: workload.Poisson(500), Clients: workload.Clients{Count: 20_000, Zipf: 1},
			Lifetime: workload.Exponential(8 * time.Second), Seed: 1,
		},
	}
}

func (e *experiment) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(e); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (e *experiment) write(w io.Writer) error { return writeJSON(w, e) }

// title says what is compared.
func (e *experiment) title() string {
	names := make([]string, len(e.Schedulers))
	for i, s := range e.Schedulers {
		names[i] = s.String()
	}
	return fmt.Sprintf("%s on %d real servers", strings.Join(names, ", "), e.Servers)
}

// run plays the workload to a new simulator for each scheduler. If the context ends,
// it returns the reports made so far.
func (e *experiment) run(ctx context.Context, progress func(run int, p workload.Progress)) ([]*workload.Report, error) {
	var reports []*workload.Report
	for i, s := range e.Schedulers {
		sim, err := e.simulator(ctx, s)
		if err != nil {
			return reports, err
		}
		w := e.Workload
		w.Progress = func(p workload.Progress) { progress(i, p) }
		r, err := workload.Run(ctx, sim, w)
		if r != nil && r.Arrived > 0 {
			r.Name = s.String()
			reports = append(reports, r)
		}
		if err != nil {
			return reports, err
		}
	}
	return reports, nil
}

// simulator returns one with the service and its real servers.
func (e *experiment) simulator(ctx context.Context, s scheduler) (*lvs.Simulator, error) {
	if e.Servers < 0 || e.Servers > 65_000 {
		return nil, fmt.Errorf("%d real servers are out of range [0, 65000]", e.Servers)
	}
	if len(e.Weights) == 0 {
		return nil, errors.New("the list of weights is empty")
	}
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: e.Kernel, Seed: e.Workload.Seed, MHTableIndex: e.MHTableIndex})
	if err != nil {
		return nil, err
	}
	client := sim.Client()
	defer client.Close()
	changes := []lvs.Change{lvs.AddService(lvs.Service{ID: e.Workload.Service, Scheduler: s.name, SchedulerFlags: s.flags})}
	for i := range e.Servers {
		changes = append(changes, lvs.AddRealServer(e.Workload.Service, lvs.RealServer{
			Addr: serverAddr(i, e.Workload.Service), Mode: e.Mode, Weight: e.Weights[i%len(e.Weights)],
		}))
	}
	return sim, client.Do(ctx, changes...)
}

// serverAddr returns the address of a real server: 10.168.1.1, 10.168.1.2, …
func serverAddr(i int, service lvs.ServiceID) netip.AddrPort {
	addr := netip.AddrFrom4([4]byte{10, 168, byte(1 + i/254), byte(1 + i%254)})
	if service.Is6() {
		addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 1, 14: byte(1 + i/254), 15: byte(1 + i%254)})
	}
	return netip.AddrPortFrom(addr, service.AddrPort().Port())
}

// setSpeed parses "10.168.1.1:80=0.5".
func (o *options) setSpeed(s string) error {
	addr, factor, ok := strings.Cut(s, "=")
	at, err := netip.ParseAddrPort(addr)
	if !ok || err != nil {
		return errors.New("want a form like 10.168.1.1:80=0.5")
	}
	server := o.Workload.Server
	if server.Speed, err = strconv.ParseFloat(factor, 64); err != nil {
		return err
	}
	if o.Workload.Servers == nil {
		o.Workload.Servers = make(map[netip.AddrPort]workload.Server)
	}
	o.Workload.Servers[at] = server
	return nil
}

// readRecorded reads connections, one a line: when they came, from where, how
// long they lasted. Missing fields are drawn at random.
func (o *options) readRecorded(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.FieldsPerRecord = -1
	in.TrimLeadingSpace = true
	for {
		fields, err := in.Read()
		if err == io.EOF {
			o.Workload.Arrivals = workload.Arrivals{}
			return nil
		}
		if err != nil {
			return err
		}
		a, err := arrivalOf(fields)
		if err != nil {
			line, _ := in.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
		o.Workload.Recorded = append(o.Workload.Recorded, a)
	}
}

func arrivalOf(fields []string) (a workload.Arrival, err error) {
	field := func(i int) string {
		if i < len(fields) {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	if a.At, err = time.ParseDuration(field(0) + "s"); err != nil {
		return a, fmt.Errorf("%q is not a number of seconds", field(0))
	}
	if s := field(1); s != "" {
		if a.Client, err = netip.ParseAddr(s); err != nil {
			return a, err
		}
	}
	if s := field(2); s != "" {
		if a.Lifetime, err = time.ParseDuration(s + "s"); err != nil {
			return a, fmt.Errorf("%q is not a number of seconds", s)
		}
	}
	return a, nil
}
