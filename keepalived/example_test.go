package keepalived_test

import (
	"fmt"
	"log"

	"github.com/golvs/lvs/keepalived"
)

func ExampleReadFile() {
	config, err := keepalived.ReadFile("/etc/keepalived/keepalived.conf", keepalived.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, note := range config.Notes {
		fmt.Println(note)
	}
	for id, policy := range config.Policies {
		fmt.Println(id, "has", len(policy.Servers), "servers that are checked")
	}
}

func ExampleParse() {
	config, err := keepalived.Parse("keepalived.conf", []byte(`
vrrp_instance VI_1 {
	virtual_ipaddress { 192.0.2.1 }
}
virtual_server 192.0.2.1 80 {
	lb_algo wrr
	lb_kind DR
	protocol TCP
	~SEQ(N, 1, 3) real_server 10.0.0.${N} 80 { weight ${N} }
}
`), keepalived.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(config.Table)
	for _, note := range config.Notes {
		fmt.Println(note)
	}
	// Output:
	// tcp://192.0.2.1:80 wrr
	//   -> 10.0.0.1:80 dr weight 1
	//   -> 10.0.0.2:80 dr weight 2
	//   -> 10.0.0.3:80 dr weight 3
	// keepalived.conf:2: vrrp_instance: VRRP is keepalived's own: leave it to keepalived
}
