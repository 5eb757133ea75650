package lvs

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawAddr(t *rapid.T, is6 bool) netip.Addr {
	if is6 {
		return netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(rapid.IntRange(1, 255).Draw(t, "byte"))})
	}
	return netip.AddrFrom4([4]byte{10, 1, 0, byte(rapid.IntRange(1, 254).Draw(t, "byte"))})
}

func drawID(t *rapid.T) ServiceID {
	addr := netip.AddrPortFrom(drawAddr(t, rapid.Bool().Draw(t, "is6")), uint16(rapid.IntRange(1, math.MaxUint16).Draw(t, "port")))
	return rapid.SampledFrom([]ServiceID{TCP(addr), UDP(addr), SCTP(addr), FWMark(rapid.Uint32Min(1).Draw(t, "mark")), FWMark6(7)}).Draw(t, "id")
}

func drawService(t *rapid.T) Service {
	s := Service{
		ID:             drawID(t),
		Scheduler:      rapid.SampledFrom([]Scheduler{RR, WLC, MH, NoScheduler, "own"}).Draw(t, "scheduler"),
		SchedulerFlags: rapid.SampledFrom([]SchedulerFlags{0, HashFallback, HashPort, HashFallback | HashPort, 0x20}).Draw(t, "flags"),
	}
	if rapid.Bool().Draw(t, "persistent") {
		s.Persistence.Timeout = time.Duration(rapid.IntRange(1, 86400).Draw(t, "seconds")) * time.Second
		s.Persistence.Engine = rapid.SampledFrom([]string{"", "sip"}).Draw(t, "engine")
	}
	return s
}

func drawServer(t *rapid.T, id ServiceID) RealServer {
	s := RealServer{
		Addr:           netip.AddrPortFrom(drawAddr(t, id.Is6()), uint16(rapid.IntRange(0, math.MaxUint16).Draw(t, "port"))),
		Mode:           rapid.SampledFrom([]Mode{NAT(), DR(), IPIP()}).Draw(t, "mode"),
		Weight:         rapid.IntRange(0, math.MaxInt32).Draw(t, "weight"),
		UpperThreshold: rapid.IntRange(0, math.MaxInt32).Draw(t, "upper"),
	}
	s.LowerThreshold = rapid.IntRange(0, s.UpperThreshold).Draw(t, "lower")
	if s.Mode != NAT() {
		s.Addr = netip.AddrPortFrom(s.Addr.Addr(), id.AddrPort().Port())
	}
	return s
}

func drawDaemon(t *rapid.T) SyncDaemon {
	return SyncDaemon{
		Role: rapid.SampledFrom([]SyncRole{SyncMaster, SyncBackup}).Draw(t, "role"), Interface: "eth0",
		SyncID: rapid.IntRange(0, 255).Draw(t, "sync id"), Port: rapid.Uint16().Draw(t, "port"),
	}
}

// drawChanges draws a change of each kind.
func drawChanges(t *rapid.T) []Change {
	s, d := drawService(t), drawDaemon(t)
	r := drawServer(t, s.ID)
	seconds := time.Duration(rapid.IntRange(0, 3600).Draw(t, "timeout")) * time.Second
	return []Change{
		AddService(s), UpdateService(s), PutService(s), RemoveService(s.ID),
		AddRealServer(s.ID, r), UpdateRealServer(s.ID, r), PutRealServer(s.ID, r), RemoveRealServer(s.ID, r.Addr),
		ZeroCounters(s.ID), ZeroAllCounters(), Flush(), SetTimeouts(Timeouts{TCP: seconds, UDP: 2 * seconds}),
		StartSyncDaemon(d), StopSyncDaemon(d.Role),
	}
}

// A change is written as JSON and read again, and its accessors make the same change.
func TestChangeRoundTrip(t *testing.T) {
	seen := make(map[Op]bool)
	rapid.Check(t, func(t *rapid.T) {
		for _, ch := range drawChanges(t) {
			seen[ch.Op()] = true
			if err := ch.Validate(); err != nil {
				t.Fatalf("%v is not valid: %v", ch, err)
			}
			text, err := json.Marshal([]Change{ch})
			if err != nil {
				t.Fatal(err)
			}
			var back []Change
			if err := json.Unmarshal(text, &back); err != nil || len(back) != 1 || !back[0].Equal(ch) {
				t.Fatalf("%s is %v, %v; want %v", text, back, err, ch)
			}
			if again := remade(ch); !again.Equal(ch) {
				t.Fatalf("by its accessors, %v is %v", ch, again)
			}
		}
	})
	for _, k := range changeKinds {
		if k.op != "" && !seen[k.op] {
			t.Errorf("%s was never drawn", k.op)
		}
	}
}

// remade makes a change again from what its accessors return.
func remade(ch Change) Change {
	service, _ := ch.Service()
	server, _ := ch.RealServer()
	timeouts, _ := ch.Timeouts()
	daemon, _ := ch.SyncDaemon()
	return map[Op]Change{
		OpAddService: AddService(service), OpUpdateService: UpdateService(service), OpPutService: PutService(service),
		OpRemoveService: RemoveService(ch.ServiceID()), OpZeroCounters: ZeroCounters(ch.ServiceID()),
		OpAddRealServer:    AddRealServer(ch.ServiceID(), server),
		OpUpdateRealServer: UpdateRealServer(ch.ServiceID(), server),
		OpPutRealServer:    PutRealServer(ch.ServiceID(), server),
		OpRemoveRealServer: RemoveRealServer(ch.ServiceID(), ch.RealServerAddr()),
		OpZeroAllCounters:  ZeroAllCounters(), OpFlush: Flush(), OpSetTimeouts: SetTimeouts(timeouts),
		OpStartSyncDaemon: StartSyncDaemon(daemon), OpStopSyncDaemon: StopSyncDaemon(ch.SyncRole()),
	}[ch.Op()]
}

// A change has only the operands of its operation.
func TestChangeAccessors(t *testing.T) {
	for _, ch := range []Change{{}, Flush(), RemoveService(webID), RemoveRealServer(webID, webRIP), StopSyncDaemon(SyncMaster)} {
		_, service := ch.Service()
		_, server := ch.RealServer()
		_, timeouts := ch.Timeouts()
		_, daemon := ch.SyncDaemon()
		if service || server || timeouts || daemon {
			t.Errorf("%v has a service %t, a real server %t, timeouts %t, a sync daemon %t", ch, service, server, timeouts, daemon)
		}
	}
}

func TestChangeJSON(t *testing.T) {
	for want, ch := range map[string]Change{
		`{"op":"add-service","service":{"id":"tcp://10.1.0.1:80","scheduler":"rr"}}`:                                    AddService(Service{ID: webID, Scheduler: RR}),
		`{"op":"put-real-server","id":"tcp://10.1.0.1:80","realServer":{"addr":"10.2.0.2:80","mode":"nat","weight":1}}`: PutRealServer(webID, NewRealServer(webRIP, NAT())),
		`{"op":"remove-real-server","id":"tcp://10.1.0.1:80","addr":"10.2.0.2:80"}`:                                     RemoveRealServer(webID, webRIP),
		`{"op":"stop-sync-daemon","role":"master"}`:                                                                     StopSyncDaemon(SyncMaster),
		`{"op":"flush"}`: Flush(),
	} {
		if got, err := json.Marshal(ch); err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
	if _, err := json.Marshal(Change{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("the zero change: %v", err)
	}
}

// What is not a change in JSON is refused, by the name of the field.
func TestChangeJSONIsStrict(t *testing.T) {
	for text, field := range map[string]string{
		`{}`:                      "op",
		`{"op":"list-services"}`:  "op",
		`{"op":"remove-service"}`: "id",
		`{"op":"flush","service":{"id":"tcp://10.1.0.1:80"}}`:                       "service",
		`{"op":"remove-service","id":"tcp://10.1.0.1:80","addr":"10.2.0.2:80"}`:     "addr",
		`{"op":"add-real-server","realServer":{"addr":"10.2.0.2:80"}}`:              "id",
		`{"op":"remove-service","id":"tcp://10.1.0.1:80","when":"now"}`:             "when",
		`{"op":"add-service","service":{"id":"tcp://10.1.0.1:80","sheduler":"rr"}}`: "sheduler",
		`{"op":"remove-service","id":"icmp://10.1.0.1:80"}`:                         "id: \"icmp",
	} {
		var ch Change
		err := json.Unmarshal([]byte(text), &ch)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field) || !ch.Equal(Change{}) {
			t.Errorf("%s is %v, %v; want an error that names %s", text, ch, err, field)
		}
	}
}

// Validate refuses what Do refuses.
func TestChangeValidate(t *testing.T) {
	_, c := simulatedClient(t)
	for _, ch := range []Change{
		{}, AddService(Service{}), UpdateService(Service{}), PutService(Service{ID: webID, Scheduler: "no scheduler"}),
		AddRealServer(webID, RealServer{}), PutRealServer(ServiceID{}, NewRealServer(webRIP, DR())), RemoveService(ServiceID{}),
		StartSyncDaemon(SyncDaemon{}), StopSyncDaemon(3), SetTimeouts(Timeouts{TCP: -1}),
	} {
		err := ch.Validate()
		ofKind(t, ch.String(), err, ErrInvalid)
		if did := c.Do(t.Context(), ch); did == nil || err == nil || did.Error() != err.Error() {
			t.Errorf("Validate: %v\nDo: %v", err, did)
		}
	}
	if err := Flush().Validate(); err != nil {
		t.Error(err)
	}
}
