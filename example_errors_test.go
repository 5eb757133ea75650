package lvs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// A value that can never work is refused before the kernel sees it. The error
// names the field.
func ExampleError() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	if err := client.AddService(ctx, lvs.Service{ID: web, Scheduler: lvs.RR}); err != nil {
		log.Fatal(err)
	}
	// Direct routing does not rewrite ports.
	err := client.AddRealServer(ctx, web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:8080"), lvs.DR))

	var refused *lvs.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Object)
		fmt.Println("field:", refused.Field)
		fmt.Println("invalid:", errors.Is(err, lvs.ErrInvalid))
	}
	// Output:
	// tcp://10.168.0.91:80 -> 10.168.0.94:8080
	// field: Addr
	// invalid: true
}
