package director

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Director keeps the kernel's table as it is wanted: see the package documentation.
// [New] returns one. Its methods may be called from any goroutine.
type Director struct {
	client *lvs.Client
	o      Options
	feed   *feed         // for Run to read from
	wake   chan struct{} // has an element when there is something for Run to take

	monitor *health.Monitor
	path    *health.TablePath               // nil if the program has one
	paths   map[health.Path]health.PathFunc // all that there are
	checked chan health.Event               // what the monitor reports, for Run to take

	deciding sync.Mutex // held while overrides are changed

	mu        sync.Mutex
	asked     asked // for Run to take
	status    Status
	wanted    Update // of status.Wanted
	overrides []health.Override
	hooks     map[string]*health.Hook // Run alone changes them
}

// asked is what Run was asked for and has not taken yet. Only the newest table counts.
type asked struct {
	update   *Update
	look     bool
	allow    bool
	weights  bool // the monitor's have changed
	override bool // overrides have changed

	hookFailures []HookFailed
}

// New returns a Director of the table that a client reaches. It changes nothing before
// [Director.Run]. The error matches [lvs.ErrInvalid] for an option that cannot work, and
// for a nil client.
func New(client *lvs.Client, o Options) (*Director, error) {
	if client == nil {
		return nil, invalid("client", "must not be nil")
	}
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	d := &Director{client: client, o: o, wake: make(chan struct{}, 1), feed: &feed{}}
	if err := d.watch(); err != nil {
		return nil, err
	}
	if o.Source != nil {
		if d.feed, err = o.Source.open(); err != nil {
			return nil, err
		}
	}
	if first := d.feed.first; first != nil {
		if err := d.Set(*first); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Set makes a table the wanted one, from now on or from the beginning of Run. The table
// is copied. Set does not wait until it is applied: see [Applied] and [Director.Status].
//
// It fails with [lvs.ErrInvalid] if the table is not valid or has a service outside the
// scope. The previous table then stays wanted.
func (d *Director) Set(table lvs.Table) error { return d.Update(Update{Table: table}) }

// Update does what [Director.Set] does, and says how real servers are checked and how the
// table may be applied. It also fails if the checks cannot work.
func (d *Director) Update(u Update) error {
	if err := d.check(u); err != nil {
		return err
	}
	u = u.clone()
	d.ask(func(a *asked) { a.update = &u })
	return nil
}

// Allow lets Run apply the wanted table although it was refused, and reports whether
// there is such a table. The permission ends when the table is in sync, or another one
// is wanted.
func (d *Director) Allow() bool {
	d.mu.Lock()
	refused := d.status.Refused != ""
	d.mu.Unlock()
	if refused {
		d.ask(func(a *asked) { a.allow = true })
	}
	return refused
}

// Look makes the Director look at the table now, and try again what failed or was
// delayed, for a program that knows that the table has changed.
func (d *Director) Look() { d.ask(func(a *asked) { a.look = true }) }

// Status returns how the Director is doing.
func (d *Director) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	s.At = time.Now().Round(0)
	s.Drains = slices.Clone(s.Drains)
	s.Unwanted, s.Misordered = slices.Clone(s.Unwanted), slices.Clone(s.Misordered)
	s.Overrides = slices.DeleteFunc(slices.Clone(d.overrides), hasEnded(s.At))
	s.Health = d.monitor.Status()
	s.Hooks = d.hookStatus()
	return s
}

// check refuses a table that can never be applied, and checks that can never be made.
func (d *Director) check(u Update) error {
	if _, err := lvs.Diff(lvs.Table{}, u.Table, d.o.Table); err != nil {
		return err
	}
	return d.checkHealth(u)
}

func (d *Director) ask(note func(*asked)) {
	d.mu.Lock()
	note(&d.asked)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// taken returns what was asked for, once.
func (d *Director) taken() (a asked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, d.asked = d.asked, asked{}
	return a
}

// Run keeps the table as wanted until the context ends, and returns its cause. The table
// stays as it is then. Errors of the kernel do not end Run: see [Status.Error].
//
// Run fails at once if the state file or the file of overrides cannot be read, or the
// Director is already running. It fails with [lvs.ErrClosed] when the client was closed.
// It may be called again after it returned, and then goes on with the table that was
// wanted last.
func (d *Director) Run(ctx context.Context) error {
	if err := d.claim(); err != nil {
		return err
	}
	defer d.publish(func(s *Status) { s.Running = false })
	r, err := d.begin()
	if err != nil {
		return err
	}
	defer r.beginHooks(ctx)()
	defer r.leavePath(ctx)
	defer r.endMonitor()
	for {
		if err := r.work(ctx); err != nil {
			return err
		}
		r.needMonitor(ctx)
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

var errRunning = errors.New("director: Run is already running")

// claim makes this the only Run.
func (d *Director) claim() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.Running {
		return errRunning
	}
	d.status.Running = true
	return nil
}

// publish changes the status.
func (d *Director) publish(change func(*Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.status)
}

// cloned returns a copy of a table.
func cloned(t lvs.Table) lvs.Table {
	t.Services = slices.Clone(t.Services)
	for i := range t.Services {
		t.Services[i].RealServers = slices.Clone(t.Services[i].RealServers)
	}
	return t
}
