// Package lvs drives Linux Virtual Server, the load balancer in the Linux kernel,
// which is also called IPVS.
//
// # Overview
//
// A load-balanced site has three tiers. The director runs IPVS: it receives the
// packets of clients, picks a real server for each new connection, and forwards
// the packets there. The real servers run the application. Behind them, a shared
// tier (files, a database) makes sure that every real server can serve every
// client; IPVS does not see it.
//
// These addresses matter:
//
//   - The client's address is [Flow.Client].
//   - The virtual IP (VIP) is what clients connect to. With a protocol and a port it
//     identifies a service: see [ServiceID], which can also be a firewall mark. The
//     director has the VIP; for [DR] and tunnels the real servers have it too,
//     hidden from ARP.
//   - The director IP (DIP) is the director's address in the network of the real
//     servers, which is their gateway for [NAT]: see [NATRealServer].
//   - The real server IP (RIP) is [RealServer.Addr].
//
// A [Service] has a [Scheduler], which picks one of its real servers. A [RealServer]
// has a weight, and a [Mode] that says how packets reach it:
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
//		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
//		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.95:80"), lvs.DR())),
//	)
//
// # Writing
//
// A [Change] is a value that describes a write; [Client.Do] sends any number of
// them, many with one system call. Methods such as [Client.AddService] send one.
// An update replaces everything, as in the kernel; [Client.ModifyService],
// [Client.ModifyRealServer] and [Client.SetWeight] change one thing and keep the
// rest. Values that the kernel would accept but that can never work are refused
// before it sees them.
//
// # Reading
//
// [Client.Snapshot] reads the whole table. Everything in it is read without loss,
// including settings of other programs that this package would refuse to write.
// Real servers are listed in the order in which they were added, because some
// schedulers depend on it.
//
// # Desired state
//
// A [Table] is what the kernel should have. [Client.PlanTable] compares it with what the
// kernel has and changes nothing: the [TablePlan] prints as a diff that says what each
// step does to connections and clients. [Client.ApplyTable] makes the steps, and refuses
// a plan that no longer fits. [Client.AwaitDrains] lets connections end before real
// servers are removed. [TablePlan.Effect] tries a plan on a copy of a live host, and
// lists the clients that it moves and the connections that it breaks.
//
//	plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Drain: 5 * time.Minute})
//	if err != nil {
//		return err
//	}
//	fmt.Println(plan)
//	result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{})
//	if err != nil {
//		return err
//	}
//	_, ended, err := client.AwaitDrains(ctx, result.Drains)
//
// Services outside of a [Scope] are never touched. A [TableState] in a file remembers
// what was applied, so that only that is ever removed. Package director keeps a table as
// it is wanted, and package ipvsadm reads and writes ipvsadm's save files.
//
// # Errors
//
// Every error is an [*Error] or wraps some: [Client.Do] returns a [*BatchError] that
// lists the changes that were not made, and [Table.Validate] a [*TableError] that lists
// all that is wrong. Use [errors.Is] with a kind ([ErrNotFound],
// [ErrExists] and the other variables whose names begin with Err) or with an errno
// ([EEXIST], [syscall.EEXIST]), [errors.As] for what was attempted, on what, and
// which field was refused, and [Ignore] to remove failures that do not matter.
//
// Every call takes a context and returns when it is done, even if the kernel is
// still at work. If the outcome of a change is unknown then, its error says so.
//
// # Testing
//
// A [Simulator] is IPVS in this process. The same [Client] talks to it, it returns
// the kernel's errors, and [Simulator.Connect] and [Simulator.Deliver] show which
// real server a client reaches, and why. Its clock is virtual, or that of
// [testing/synctest]. [SimulatorFrom] copies a live host, to try a change there
// first.
//
//	sim, err := lvs.NewSimulator(lvs.SimOptions{})
//	if err != nil {
//		return err
//	}
//	err = sim.Client().AddService(ctx, lvs.Service{ID: web, Scheduler: lvs.WLC})
//
// # Hosts
//
// Besides its table, a director needs addresses, routes and kernel parameters, and
// so does a real server. [DRDirector], [DRRealServer], [NATDirector],
// [NATRealServer], [TunnelDirector] and [TunnelRealServer] describe them as a
// [Setup]. [Host.Plan] compares it with the host and changes nothing, [Host.Apply]
// makes the changes, and [Host.Undo] reverts those that nothing has changed since.
// [Host.Check] reports what keeps a host from balancing, and [Host.Explain] which
// real server a client would reach.
//
// The package does not check the health of real servers.
//
// # Privileges
//
// IPVS requires CAP_NET_ADMIN in the initial user namespace, even for reading.
// Each network namespace has a table of its own: see [InNamespace]. The package is
// tested in Linux 6.1, 6.12 and 7.2. It builds on every system, and returns
// [ErrUnavailable] where there is no IPVS. It prints nothing, has no global state,
// and runs no other program.
//
// # Stable texts
//
// Programs may store and compare these texts, which change only as the API does: the
// text forms of [ServiceID], [Mode], [Persistence], [Mask], [SchedulerFlags],
// [Protocol], [SyncRole], [Op], [Action], [Reason], [DrainReason] and [StepOutcome], the
// names of schedulers and of connection states, [Finding.Code] and [Severity], and the
// JSON and YAML of types with tags. What describes the table has tags for both; what is
// observed of hosts, packets and connections has JSON only. Durations read "15m0s".
// [Table], [Snapshot], [TablePlan], [TableState], [SetupPlan], [HostState] and [Report]
// have "version": 1, and refuse other versions. Types that decode strictly, such as
// [Table], [RealServer] and [Timeouts], must not be embedded in a struct that is
// decoded. All other texts are for people and may change: error messages, what String
// returns otherwise, and the prose of findings, explanations and plans.
package lvs
