// Package metrics shows the IPVS table of a host to Prometheus. A [Collector] reads the
// kernel at each scrape:
//
//	host, err := lvs.OpenHost(ctx)
//	if err != nil {
//		return err
//	}
//	collector, err := metrics.New(host, metrics.Options{})
//	if err != nil {
//		return err
//	}
//	http.Handle("/metrics", collector)
//
// A program that has a registry may register the collector in place of that, which costs
// some times as much at each scrape:
//
//	prometheus.MustRegister(collector)
//
// The names of all metrics begin with lvs_. [Options.NodeExporter] chooses those of
// node_exporter instead. A program that collects from several hosts registers each
// collector with labels of its own:
//
//	prometheus.WrapRegistererWith(prometheus.Labels{"netns": "blue"}, registry).MustRegister(collector)
//
// # What is there
//
// Each service has counters of connections, packets and bytes, its active and inactive
// connections, and how many real servers it has. Each real server has its weight and
// its connections. [Options] adds counters of real servers, the totals of the host, the
// counters of each CPU, and the states of connections, or leaves real servers out.
//
// The label service is "tcp://10.168.0.91:80", "udp://[2001:db8::1]:53", "sctp://…", or, of
// a firewall mark, "fwmark://7" for IPv4 and "fwmark6://7" for IPv6, unless
// [Options.ServiceName] has a name for it. The parts of it are labels of
// lvs_service_info, and those of a real server of lvs_real_server_info.
//
// [Options.Director] adds the state of a director.Director: whether the table is as wanted,
// what failed or is refused, what it did, and the drains that are under way. With
// [Options.StateFile], the drains come from the file of another program.
//
// # Counters
//
// The kernel's counters go back to 0 when a program zeroes them, as "ipvsadm -Z" does,
// and when a service or a real server is removed and added again. Those of a Collector
// do not: it adds what was counted since the last scrape. What the kernel counted
// between the last scrape and the zeroing is lost. When a service or a real server is
// gone for more than 15 minutes, its counters are forgotten.
//
// The kernel publishes counters about every two seconds. Outgoing traffic is counted
// only if it passes through the director, so real servers have these counters only with
// mode nat.
//
// # Errors
//
// A reading that fails leaves out its metrics, adds to lvs_scrape_errors_total, and sets
// lvs_up to 0. So lvs_up is 1 only if everything that the options ask for was read, and
// alerts should look at it: without a table, no other alert fires. The scrape itself
// succeeds, so that the other metrics of a program are not lost.
package metrics
