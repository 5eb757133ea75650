package tablefile_test

import (
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/ipvsadm"
)

func TestFormats(t *testing.T) {
	file, err := ipvsadm.ParseFile([]byte("-A -t 10.168.0.91:80 -s wrr\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3 -x 20 -y 10\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{tablefile.Commands, tablefile.JSON, tablefile.YAML} {
		text, err := tablefile.Encode(file, format)
		if err != nil {
			t.Fatal(err)
		}
		if got := tablefile.Format(text); got != format {
			t.Errorf("%s is taken for %s:\n%s", format, got, text)
		}
		if got, err := tablefile.Decode(text); err != nil || !got.Table.Equal(file.Table) {
			t.Errorf("%s: %v, %v", format, got, err)
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "is empty",
		" \n":                       "is empty",
		"{":                         "line 1",
		`{"services": []}`:          "version",
		"version: 1\nservice: []\n": "line 2, column",
		"# none\n-A -t nowhere\n":   "line 2",
		"version: 1\nservices:\n- id: tcp://10.0.0.1:80\n  realServers:\n  - addr: 10.0.0.2:80\n    weight: -1\n": "line 6, column 13",
	} {
		if _, err := tablefile.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestDecodeComments(t *testing.T) {
	f, err := tablefile.Decode([]byte("# no services\n"))
	if err != nil || !f.Table.Equal(lvs.Table{}) {
		t.Errorf("%v, %v", f, err)
	}
}
