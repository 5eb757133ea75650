// Package workload lets clients come to a simulated director and reports who got
// them: a laboratory for schedulers, weights and maintenance plans.
//
// A [Workload] says how connections arrive, from which clients, how long they
// last, how fast the real servers are, and what happens meanwhile: a server is
// drained, fails, comes back. [Run] plays it to an [lvs.Simulator], which picks
// each server as Linux would, and returns a [Report]: connections, shares and
// peaks of each server and over time, how unequal they were, which clients had
// to move because of an event, who was refused. A report prints as a table,
// marshals to JSON and CSV, and is drawn on one HTML page that needs nothing
// else. The same simulator, workload and seed give the same report.
//
// [Disagree] and [Failover] are about several directors that have the same
// services: which clients they send to different servers, and which connections
// break when one takes over from another.
//
// Values that a file or a flag may hold have a text form, which JSON uses too:
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
