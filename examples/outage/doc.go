// Package outage compares policies of health checks on one story: the same servers fail in
// the same ways while the same clients connect, and a director with each policy does what
// it makes of that. Monitor, director and probes are the real ones; IPVS, servers and time
// are simulated. It is a test, because Go has fake time for tests alone, and needs no root,
// no Linux and no network:
//
//	go test -v -run TestOutage ./examples/outage
//	go test -v -run TestOutage ./examples/outage -events -html /tmp/outage.html
//	go test -v -run TestOutage -timeout 0 ./examples/outage -duration 24h -html /tmp/day.html
//	go test -v -run TestOutage ./examples/outage -policy a=plain.json -policy b=/etc/mine.json -script '10.168.1.1:80 1m refuse; 2m answer'
//
// The last flags are those of the test; -args -help lists them. Paths are relative to this
// folder. The first takes seconds. The whole day, of 6.9 million connections, took a minute
// and a half of processor time.
//
// The story is a day, which begins at midnight with few clients and has its peak at noon.
// Without -duration it passes in 12 minutes, an hour of the story in 30 seconds.
// Whatever happens lasts for an hour of the story, but at most 10 minutes. At 2 a server
// ends and is started again, at 5 one flaps, at 8 one loses the VIP, at 10 the host of one
// is gone, and at 12 one is slow. At 15 half of the servers get a new version that hangs,
// until the old one is back. At 20 all servers say that they are not ready although they
// serve, as when a check asks for more than it should. A server that comes back is slow at
// first.
//
// The real servers are 10.168.1.1:80, 10.168.1.2:80 and so on. With -script, only what it
// says happens.
//
// A policy is the JSON of a health.Policy. Without -policy, plain.json, which is like what
// most sites have, is compared with careful.json.
//
// Clients are refused when no server has a weight, lost when they get a server that does
// not serve, and broken when theirs fails or is removed.
package outage
