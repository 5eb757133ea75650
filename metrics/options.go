package metrics

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

// Options configures a [Collector]. The zero value shows all services and real servers,
// by their addresses, without counters of real servers.
type Options struct {
	// Servers is which real servers have metrics; the zero value is all of them.
	Servers Servers

	// ServerCounters adds counters of connections, packets and bytes, and persistent
	// connections and thresholds, to the metrics of real servers. The kernel must then be
	// asked about each service, which takes some times as long.
	ServerCounters bool

	// ServiceName returns the label service. With nil, or for "", it is the service's
	// address or mark. It is called for each service and each drain in each scrape, never
	// by two goroutines at once.
	//
	// Services that get the same name are merged into one, and so are real servers of
	// services with one name: connections, weights and counters are added up. Only
	// lvs_service_info and lvs_real_server_info still list each of them.
	ServiceName func(id lvs.ServiceID) string

	// ServerName is the same for real servers: it returns the label real_server.
	ServerName func(id lvs.ServiceID, server netip.AddrPort) string

	// NodeExporter uses names and labels of node_exporter's collector ipvs for the totals
	// and the real servers, and leaves out the services, which it does not have. It has
	// no names, and shows all counters that node_exporter does, so ServiceName,
	// ServerName and ServerCounters cannot be used with it, and Totals is not needed.
	NodeExporter bool

	// Probes shows the services that carry health checks through IPVS, too: see
	// [lvs.ServiceID.IsProbe].
	Probes bool

	Totals bool // adds the counters of all services together
	CPUs   bool // adds the counters of each CPU, which no program can zero

	// States adds how many connections and persistence templates there are by protocol
	// and state. The kernel must list its whole connection table for that, in each
	// scrape.
	States bool

	// Timeout is how long a scrape may take before it shows what it has; 0 is 5 seconds.
	// It should be less than the timeout of Prometheus, which is 10 seconds by default.
	Timeout time.Duration

	// OnError is called for each reading that fails, with its name, which is the label
	// reading of lvs_scrape_errors_total. It may be nil.
	OnError func(reading string, err error)

	// Director adds the state of a [director.Director], or of what reports its status
	// otherwise, and the drains that are under way. It may be nil.
	Director interface{ Status() director.Status }

	// StateFile adds the drains of a state file, which "lvs drain -state" writes, or a
	// Director in another process: see [director.Options.StateFile]. The file need not
	// exist. With "", and with Director, which knows its drains, there is none.
	StateFile string

	now func() time.Time // nil is time.Now
}

// Servers selects the real servers that have metrics.
type Servers struct {
	none    bool
	busiest int // 0 is all
}

// AllServers selects all real servers. It is the zero value.
func AllServers() Servers { return Servers{} }

// NoServers selects none. The services still have the sums of their real servers.
func NoServers() Servers { return Servers{none: true} }

// BusiestServers selects the n real servers of the host that have the most connections,
// active and inactive. To keep the same ones for some time, one that was selected stays
// for ten minutes at least, and until another one has more than one and a half times as
// many connections. n must be more than 0.
func BusiestServers(n int) Servers {
	if n <= 0 {
		n = -1 // which New refuses
	}
	return Servers{busiest: n}
}

// complete returns the options with their defaults, or an error.
func (o Options) complete() (Options, error) {
	switch {
	case o.Servers.busiest < 0:
		return o, invalid("Servers", "the number of the busiest must be more than 0")
	case o.Timeout < 0:
		return o, invalid("Timeout", "%s is negative", o.Timeout)
	case o.Director == (*director.Director)(nil):
		return o, invalid("Director", "must not be a nil pointer")
	case o.Director != nil && o.StateFile != "":
		return o, invalid("StateFile", "cannot be used with Director, which knows its drains")
	case o.NodeExporter && (o.ServiceName != nil || o.ServerName != nil):
		return o, invalid("NodeExporter", "node_exporter has no names: leave out ServiceName and ServerName")
	case o.NodeExporter && o.ServerCounters:
		return o, invalid("NodeExporter", "node_exporter has no counters of real servers: leave out ServerCounters")
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.OnError == nil {
		o.OnError = func(string, error) {}
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o, nil
}

// invalid returns an error that matches [lvs.ErrInvalid].
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("metrics: Options.%s: %s: %w", field, fmt.Sprintf(format, args...), lvs.ErrInvalid)
}
