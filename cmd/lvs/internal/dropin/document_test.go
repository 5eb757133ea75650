package dropin

import (
	"os"
	"strings"
	"testing"
)

// The page of those who come from ipvsadm has every difference.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/from-ipvsadm.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Differences {
		if row := "| " + d.What + " | " + d.Reason + " |"; !strings.Contains(string(text), row) {
			t.Errorf("there is no row %s", row)
		}
	}
}
