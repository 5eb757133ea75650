// Package workload connects clients to a simulated director and reports which real
// servers they reached: a laboratory for schedulers, weights and maintenance plans.
//
// A [Workload] describes how connections arrive, from which clients, how long they
// last, how fast the real servers are, and what happens in the course of it: a
// server is drained, fails, recovers. [Run] plays it on an [lvs.Simulator], which
// picks servers as Linux would, and returns a [Report]: connections, shares and
// peaks of each server and over time, how unequal they were, which clients had to
// move because of an event, and which were refused. A report prints as a table,
// marshals to JSON and CSV, and is drawn on a single self-contained HTML page. The
// same simulator, workload and seed produce the same report.
//
// [Disagree] and [Failover] compare several directors with the same services: which
// clients they send to different servers, and which connections break when one
// takes over from another.
//
// Values that a file or a flag may hold have a text form, which JSON also uses:
//
//	{
//	  "service":  "tcp://10.168.0.91:80",
//	  "duration": "2m",
//	  "arrivals": "poisson 500/s",
//	  "clients":  "20000 zipf 1.1",
//	  "lifetime": "exponential 8s",
//	  "servers":  {"10.168.0.94:80": {"speed": 0.5}},
//	  "events":   ["40s fail 10.168.0.94:80 noticed 3s", "1m20s back 10.168.0.94:80"],
//	  "seed":     1
//	}
package workload
