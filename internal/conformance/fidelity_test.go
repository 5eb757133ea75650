package conformance

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/testbed"
)

// The simulator is proved by histories: what a history does to it, it must do to
// the kernel. Both are asked for everything that can be seen, and a history that
// shows a difference is cut down to the steps that it takes.
//
// What differs on purpose is made alike before it is compared, and nothing else:
// timers of the kernel are late by up to an eighth of the timeout, and a history
// takes its time, so the time that a connection is left with may differ by
// expiryTolerance; services are listed in an order of the kernel's own; ticks are
// of a length of the kernel's own; a table that grows does so by and by; and of
// an attribute that it refuses, the kernel says which values it would take.

// files are those of /proc.
type files interface {
	ReadFile(path string) ([]byte, error)
	WriteFile(path string, data []byte) error
}

// side is an IPVS that a history is played to.
type side interface {
	ground
	files

	// Send sends packets and says of each what became of it.
	Send(packets []packet) []string

	// Transmit sends a segment, and returns it as it leaves.
	Transmit(numbered) left

	// Elapsed is how long it has been there.
	Elapsed() time.Duration

	// withFiles does something with all of its files.
	withFiles(do func(files))
}

const (
	protocolTCP  = 6
	protocolUDP  = 17
	protocolSCTP = 132

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// What the long run is asked for by scripts/fidelity.
var (
	fidelityPicks   = flag.Int("fidelity.picks", 0, "how many servers each scheduler picks; 0 is a few")
	fidelityCalls   = flag.Int("fidelity.calls", 0, "how many requests there are; 0 is a few")
	fidelityFrames  = flag.Int("fidelity.frames", 0, "how many frames there are; 0 is a few")
	fidelityPackets = flag.Int("fidelity.packets", 0, "how many packets there are of each feature with a test of its own; 0 is a few")
	fidelitySave    = flag.String("fidelity.save", "", "the folder for histories that show a difference, testdata/histories")
	fidelitySeed    = flag.Uint64("fidelity.seed", 1, "what histories are made from")
)

func long() bool { return *fidelityPicks+*fidelityCalls+*fidelityFrames+*fidelityPackets > 0 }

// fidelity is a kind of histories.
type fidelity struct {
	name    string
	make    func(t testing.TB, r release.Release, seed uint64) (h history, counted int)
	enough  int // of what is counted
	players int // how many play at once, if -test.parallel lets them
}

// mostMismatches ends a run that makes no sense any more.
const mostMismatches = 3

// run plays histories until enough was counted, and reports in one row.
func (f fidelity) run(t *testing.T, open func(testing.TB) *duel) {
	t.Helper()
	r := openedRelease(t, open)
	var histories, counted, mismatches, slow atomic.Int64
	var playing sync.RWMutex // so that one can have the machine alone
	t.Run("players", func(t *testing.T) {
		for range f.players {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for counted.Load() < int64(f.enough) && mismatches.Load() < mostMismatches {
					seed := *fidelitySeed + uint64(histories.Add(1)) - 1
					h, n := f.make(t, r, seed)
					counted.Add(int64(n))
					playing.RLock()
					difference, tooLong := timed(t, open, h)
					playing.RUnlock()
					if difference == "" {
						continue
					}
					playing.Lock()
					about := fmt.Sprintf("%s, seed %d", f.name, seed)
					if !tooLong || differsAgain(t, open, h) {
						mismatches.Add(1)
						reportMismatch(t, open, h, about, difference)
					} else {
						slow.Add(1)
						t.Logf("%s: it took too long and differed, but not when it was played again:\n%s", about, difference)
					}
					playing.Unlock()
				}
			})
		}
	})
	t.Logf("%d histories", histories.Load())
	if long() {
		fmt.Printf("%-10s %-9s %9d %10d\n", f.name, r, counted.Load(), mismatches.Load())
		if n := slow.Load(); n > 0 {
			fmt.Printf("# %d histories took too long and differed, but not when they were played again\n", n)
		}
	}
}

// timed plays a history, and reports whether it took too long: on a busy machine
// connections expire behind its back, in the kernel later than in the simulator.
// The shortest timeouts are a few times as long as what a history may take besides
// its waits.
func timed(t *testing.T, open func(testing.TB) *duel, h history) (difference string, tooLong bool) {
	t.Helper()
	const most = 3 * time.Second
	start := time.Now()
	difference, _ = attempt(t, open, h)
	return difference, time.Since(start) > h.waits()+most
}

// differsAgain plays a history again that differed and took too long, until it
// does not take too long. If it always does, it differs if it did each time.
func differsAgain(t *testing.T, open func(testing.TB) *duel, h history) bool {
	t.Helper()
	for range 3 {
		difference, tooLong := timed(t, open, h)
		if difference == "" {
			return false
		}
		if !tooLong {
			return true
		}
	}
	return true
}

func openedRelease(t testing.TB, open func(testing.TB) *duel) release.Release {
	s := &scope{TB: t}
	defer s.end()
	return open(s).real.Release()
}

func reportMismatch(t *testing.T, open func(testing.TB) *duel, h history, about, difference string) {
	t.Helper()
	t.Logf("%s: they differ:\n%s", about, difference)
	short, again := shrink(t, open, h)
	text := fmt.Sprintf("%s: they differ after\n%s\n%s\n%s", about, short, again, saveHistory(short, about, again))
	if again == "" {
		text = fmt.Sprintf("%s: they differed, but not when it was played again:\n%s", about, difference)
	}
	if long() {
		fmt.Println(text) // not at the end, hours later
		t.Fail()
		return
	}
	t.Error(text)
}

// saveHistory writes a history that showed a difference to where TestHistories plays
// it from then on, and says where.
func saveHistory(h history, about, difference string) string {
	if *fidelitySave == "" {
		return "use -fidelity.save to save it"
	}
	name := filepath.Join(*fidelitySave, "found-"+strings.ReplaceAll(strings.ReplaceAll(about, ", ", "-"), " ", "-")+".txt")
	text := fmt.Sprintf("# Found by %s:\n# %s\n%s", about, strings.ReplaceAll(strings.TrimSpace(difference), "\n", "\n# "), h)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err.Error()
	}
	return "saved as " + name
}

// newCall returns a call with attributes at the top.
func newCall(command uint8, top attributes) control {
	return control{command: command, body: top.encode()}
}

// serviceCall returns a call about a service, and perhaps a destination.
func serviceCall(command uint8, nests ...attributes) control {
	r := about(command, nests...)
	return control{command: command, body: r.body}
}

// flagBytes of a service: those that are set, and no others.
func flagBytes(flags uint32) []byte { return flagged(flags, ^uint32(0)) }

// Each scheduler of the kernel and of the simulator picks alike, and connections
// live alike.
func TestFidelityPicks(t *testing.T) {
	const few, fewPlayers = 100, 2
	players := fewPlayers
	if long() {
		players = 6 // some mostly wait
	}
	for _, scheduler := range pickSchedulers {
		t.Run(scheduler, func(t *testing.T) {
			if !long() {
				t.Parallel()
			}
			fidelity{scheduler, makePicks(scheduler), cmp.Or(*fidelityPicks, few), players}.run(t, openFidelity(t))
		})
	}
	t.Run("twos", func(t *testing.T) { fidelityTwos(t, cmp.Or(*fidelityPicks, few)) })
}

// openFidelity returns what opens the kernel under test and its simulator. Where
// there is no such kernel, it is two simulators.
func openFidelity(testing.TB) func(testing.TB) *duel {
	if os.Getenv(testbed.KernelEnv) != "" {
		return func(t testing.TB) *duel { return openDuel(t, openKernelSide) }
	}
	return func(t testing.TB) *duel {
		return openDuel(t, func(t testing.TB) side { return openSimulatorSide(t, release.Release{Major: 6, Minor: 12, Patch: 117}) })
	}
}

// The comparison can fail: a simulator that counts connections as another release
// does is found out, and so is one whose server another program edits, by a history of a
// few steps.
func TestFidelityFinds(t *testing.T) {
	older, newer := release.Release{Major: 6, Minor: 1, Patch: 176}, release.Release{Major: 6, Minor: 1, Patch: 192}
	simulators := func(t testing.TB) (real, sim *player) {
		return newPlayer(t, openSimulatorSide(t, older)), newPlayer(t, openSimulatorSide(t, older))
	}
	for name, open := range map[string]func(testing.TB) *duel{
		"the other way to count": func(t testing.TB) *duel {
			real, _ := simulators(t)
			return &duel{real: real, sim: newPlayer(t, openSimulatorSide(t, newer))}
		},
		"a server edited behind its back": func(t testing.TB) *duel {
			real, sim := simulators(t)
			sim.side = &meddledSide{sim.side.(*simulatorSide), sim, 0}
			return &duel{real: real, sim: sim}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				h, _ := makePicks("lc")(t, older, seed)
				short, difference := shrink(t, open, h)
				if difference == "" {
					continue
				}
				const few = 14
				if len(short) > few {
					t.Errorf("%d steps where %d would do", len(short), few)
				}
				if again, _ := attempt(t, open, savedAndRead(t, short, difference)); again == "" {
					t.Errorf("saved and read it shows no difference:\n%s", short)
				}
				t.Logf("seed %d: they differ after\n%s\n%s", seed, short, difference)
				return
			}
			t.Error("no history showed it")
		})
	}
}

// savedAndRead returns a history as it is read from where it was saved.
func savedAndRead(t *testing.T, h history, difference string) (back history) {
	t.Helper()
	was, folder := *fidelitySave, t.TempDir()
	*fidelitySave = folder
	defer func() { *fidelitySave = was }()
	saveHistory(h, "a test, seed 1", difference)
	text, err := os.ReadFile(filepath.Join(folder, "found-a-test-seed-1.txt"))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseStep(strings.TrimSpace(line))
		must(t, err)
		back = append(back, s)
	}
	return back
}

// meddledSide is one on which another program turns servers off when a few packets have
// come.
type meddledSide struct {
	*simulatorSide
	player  *player
	packets int
}

func (s *meddledSide) Send(packets []packet) []string {
	const enough = 3
	if s.packets += len(packets); s.packets >= enough {
		for _, service := range s.player.conn.read(listServices()) {
			key := service.only(slices.Concat(controlKeys[0], keyOf("mark4 1")))
			for _, d := range s.player.conn.read(listDests(key)) {
				s.player.conn.do(setDest(key, d.set(dWeight, u32(0))))
			}
		}
	}
	return s.simulatorSide.Send(packets)
}

// Requests are answered alike, and tables look alike afterwards. One history is
// played at a time: before Linux 7.1 a listing of services loses its place when
// those of other namespaces change, and has some twice or not at all.
func TestFidelityCalls(t *testing.T) {
	const few = 1500
	fidelity{"calls", makeCalls, cmp.Or(*fidelityCalls, few), 1}.run(t, openFidelity(t))
}
