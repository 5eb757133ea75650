package conformance

import (
	"flag"
	"os"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// TestMain lets more tests run at once than a kernel has processors, which is one: most of
// them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	const name, most = "test.parallel", "16"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if testbed.Inside() && !given {
		if err := flag.Set(name, most); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
