// Package healthtest is a simulated network of servers, for tests of health checks. Its
// servers answer, hang, refuse, are slow or flap, each by a [Script]. No packet leaves the
// process, and inside [testing/synctest] no time passes either:
//
//	n := healthtest.New()
//	defer n.Close()
//	n.Serve(netip.MustParseAddrPort("10.168.0.94:80"), healthtest.Server{
//		HTTP:   http.NotFoundHandler(),
//		Script: healthtest.Script{{At: 40 * time.Second, Does: healthtest.Hang()}},
//	})
//	conn, err := n.DialContext(ctx, "tcp", "10.168.0.94:80")
//
// A [Network] implements health.Network, so probes and monitors can use it. It can also
// stand behind a director: [Network.Through] connects to a VIP through the IPVS of an
// [lvs.Simulator], and reaches the server that IPVS picks if that server would get the
// packets.
package healthtest
