// Package lvs drives Linux Virtual Server, the load balancer inside the Linux
// kernel (IPVS), with typed values.
//
// A [Service] is what clients connect to: a virtual address (VIP) with a port,
// or a firewall mark. Behind it stand values of [RealServer], each with a [Mode]
// in which packets get there and a weight. The service's [Scheduler] picks one
// for each new connection. The machine that does it is the director.
//
//	client, err := lvs.Open(ctx)
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//
//	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
//	err = client.Do(ctx,
//		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
//		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR)),
//		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), lvs.DR)),
//	)
//
// # Writing
//
// All writes are values of type [Change] that [Client.Do] sends, many with one
// system call; methods such as [Client.AddService] send one. An update replaces
// everything, as the kernel does; [Client.ModifyService], [Client.ModifyRealServer] and
// [Client.SetWeight] change one thing and keep the rest. Values that the kernel
// takes although they can never work are refused before it sees them.
//
// # Reading
//
// Whatever is in the kernel is read without loss, also what this package would
// not write. Real servers come in the order in which they were added; it
// decides where some schedulers send clients.
//
// # Errors
//
// Every error is an [*Error], of one kind ([ErrNotFound], [ErrExists],
// [ErrPermission], [ErrUnavailable], [ErrScheduler], [ErrUnstable],
// [ErrInvalid], [ErrStuck], [ErrBusy], [ErrClosed], [errors.ErrUnsupported]), or
// a [*BatchError] that lists them.
//
// # Testing
//
// A [Simulator] is IPVS in process: the same [Client] talks to it, it answers as
// the kernel does, and [Simulator.Deliver] and [Simulator.Connect] show which
// real server gets whom, and why. Its clock is virtual, or that of
// [testing/synctest]. [SimulatorFrom] makes one of a live host, to try something
// there first.
//
//	sim, err := lvs.NewSimulator(lvs.SimOptions{})
//	if err != nil {
//		return err
//	}
//	err = sim.Client().AddService(ctx, lvs.Service{ID: web, Scheduler: lvs.WLC})
//
// # Privileges and kernels
//
// IPVS asks for CAP_NET_ADMIN in the initial user namespace, for reading too.
// Each network namespace has a table of its own. The package is tested inside
// Linux 6.1, 6.12 and the newest that Debian has; it compiles everywhere, and
// answers [ErrUnavailable] where there is no IPVS. It prints nothing, has no
// global state, and runs no other program.
//
// # Hosts
//
// Besides its table, a director or a real server needs addresses, routes and
// kernel parameters. [DRDirector], [DRRealServer], [NATDirector],
// [NATRealServer], [TunnelDirector] and [TunnelRealServer] say which, as values
// that print as the commands of an administrator. [Host.Plan] compares them with
// what there is, [Host.Apply] changes it, [Host.Undo] sets back what still is as
// it was left, and [Host.Check] says what keeps a host from balancing.
//
// What it does not do: it does not check the health of servers.
package lvs
