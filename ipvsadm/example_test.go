package ipvsadm_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

const saved = `-A -t 10.168.0.91:80 -s rr
-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1
-a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1
`

// Restoring is planning and applying: what already exists stays, and restoring twice
// changes nothing.
func Example() {
	ctx := context.Background()
	file, err := ipvsadm.ParseFile([]byte(saved))
	if err != nil {
		log.Fatal(err)
	}

	sim, err := lvs.NewSimulator(lvs.SimOptions{}) // with a kernel: lvs.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()
	for range 2 {
		plan, err := client.PlanTable(ctx, file.Table, lvs.TableOptions{})
		if err != nil {
			log.Fatal(err)
		}
		commands, err := ipvsadm.Commands(plan.Changes()...)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d steps\n%s", len(plan.Steps), commands)
		if _, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{}); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 3 steps
	// ipvsadm -A -t 10.168.0.91:80 -s rr
	// ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1
	// ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1
	// 0 steps
}

// Commands of a script become changes, which Do makes with one system call.
func ExampleParse() {
	changes, err := ipvsadm.Parse([]byte(`
# the web site
ipvsadm -A -t 10.168.0.91:80 -s wrr -p
ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94 -mw3
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, ch := range changes {
		fmt.Println(ch)
	}

	_, err = ipvsadm.Parse([]byte("-A -t 10.168.0.91:80\n-a -t 10.168.0.91:80 -r web1:80\n"))
	fmt.Println(err)
	// Output:
	// + tcp://10.168.0.91:80 wrr persistent 6m0s
	// + tcp://10.168.0.91:80 -> 10.168.0.94:80 nat weight 3
	// ipvsadm: line 2, column 25: -r: "web1" is not an address; names are not looked up, and an IPv4 address has four decimal numbers
}

func ExampleParseFile() {
	file, err := ipvsadm.ParseFile([]byte(saved + "-E -t 10.168.0.91:80 -s sh\n--set 0 0 60\n"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.Table)
	fmt.Println(file.Timeouts)

	_, err = ipvsadm.ParseFile([]byte(saved + saved))
	fmt.Println(err)
	// Output:
	// tcp://10.168.0.91:80 sh
	//   -> 10.168.0.94:80 dr weight 1
	//   -> 10.168.0.95:80 dr weight 1
	// tcp 0s tcpfin 0s udp 1m0s
	// ipvsadm: line 4, column 1: service tcp://10.168.0.91:80 already exists; edit it with -E
}

// What ipvsadm loses is in the text of a File.
func ExampleFile_MarshalText() {
	server := lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())
	server.UpperThreshold = 1000
	table := lvs.Table{Services: []lvs.TableService{{
		Service:     lvs.Service{ID: lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80")), Scheduler: lvs.RR},
		RealServers: []lvs.RealServer{server},
	}}}
	if err := ipvsadm.Save(os.Stdout, table); err != nil {
		log.Fatal(err)
	}
	text, err := ipvsadm.File{Table: table}.MarshalText()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("\n%s", text)
	// Output:
	// -A -t 10.168.0.91:80 -s rr
	// -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1
	//
	// -A -t 10.168.0.91:80 -s rr
	// -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1 -x 1000 -y 0
}
