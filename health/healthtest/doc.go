// Package healthtest is a network of simulated servers, so that health checks can be
// tested without one: servers that answer, hang, refuse, are slow or flap, each by a
// [Script]. Inside [testing/synctest], all of it happens in fake time:
//
//	n := healthtest.New()
//	n.Serve(netip.MustParseAddrPort("10.168.0.94:80"), healthtest.Server{
//		HTTP:   http.NotFoundHandler(),
//		Script: healthtest.Script{{At: 40 * time.Second, Does: healthtest.Hang()}},
//	})
//	conn, err := n.DialContext(ctx, "tcp", "10.168.0.94:80")
//
// A [Network] is a [health.Network], which probes and monitors take. It is what is
// behind a director: [Network.Through] connects to a VIP through the IPVS of an
// [lvs.Simulator], and reaches the server that IPVS picks, if the server would get the
// packets.
package healthtest
