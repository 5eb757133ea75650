package director

import (
	"os"
	"regexp"
	"testing"
)

// What docs/health.md shows is a configuration that works.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Fatal("the page shows no configuration")
	}
	for _, b := range blocks {
		c, err := ParseConfig(b[1])
		if err != nil || len(c.Health) == 0 {
			t.Errorf("%v\n%s", err, b[1])
		}
	}
}
