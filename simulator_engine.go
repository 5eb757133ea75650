package lvs

import (
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/wire"
)

// SimEngine is a custom persistence engine of a [Simulator]. It returns the key by which a
// packet is tied to a real server: a user, a session, a call. Packets of one client that
// have the same key go to the same server, even if a connection of that client goes to
// another one; [Persistence.Mask] says how much of its address makes a client. The packet
// is dropped, with [ReasonEngine], if the engine returns false, or a key that is empty or
// longer than 255 bytes.
//
// It is called for packets that may open a connection of a service which has it and is
// persistent, and for datagrams that a server of [NAT] sends and that reply to no
// connection: like the kernel's engines, it makes the director open a connection with
// those, see [ReasonServerFirst]. [Connection.Data] is the key. One that has spaces or
// other bytes that cannot be seen is quoted there, for [strconv.Unquote].
//
// The engine must find the same in the same packet each time. It is called in goroutines
// of the simulator's users, one at a time, and must not use the simulator. A panic reaches
// the caller of [Simulator.Deliver] or [Host.Explain], and the packet has opened no
// connection.
type SimEngine func(p SimPacket) (key string, found bool)

// kernel returns the engine as the simulated kernel has it.
func (e SimEngine) kernel() simipvs.Engine {
	return func(p *simipvs.Packet) (key string, found bool) {
		return e(SimPacket{
			Protocol: Protocol(p.Protocol), Source: *p.Source, Destination: *p.Destination,
			TCP: SimTCPFlags(p.TCP), FWMark: p.Mark, Length: p.Length, Data: p.Data,
		})
	}
}

// kernelEngines returns custom engines as the simulated kernel has them.
func kernelEngines(engines map[string]SimEngine) (map[string]simipvs.Engine, *Error) {
	all := make(map[string]simipvs.Engine)
	for name, engine := range engines {
		if engine == nil || name == "" {
			return nil, invalid("Engines", "%q has no engine, or is not a name for one", name)
		}
		if bad := validateName("Engines", name, wire.MaxEngineName); bad != nil {
			return nil, bad
		}
		all[name] = engine.kernel()
	}
	return all, nil
}
