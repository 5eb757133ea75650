package lvs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A drain and its end are the same after JSON.
func TestDrainJSON(t *testing.T) {
	d := newDrain(webID, webRIP, []RealServer{{Addr: webRIP, Weight: 3}}, DrainOptions{Timeout: time.Minute, WaitPersistent: true})
	for _, want := range []DrainEnd{{Drain: d}, {
		Drain:  Drain{Service: dnsID, Began: d.Began, Deadline: d.Deadline},
		Reason: DrainedDeadline, Ended: d.Deadline, Conns: 4, PersistentConns: 2,
	}} {
		text, err := json.Marshal(want)
		must(t, err)
		var got DrainEnd
		must(t, json.Unmarshal(text, &got))
		compare(t, string(text), want, got)
	}
}

// Text that would remove something by mistake is refused by the name of the field.
func TestDrainJSONRefused(t *testing.T) {
	const good = `{"service":"tcp://10.1.0.1:80","realServer":"10.2.0.2:80","began":"2026-11-27T00:00:00Z","deadline":"2026-11-27T00:05:00Z"}`
	var d Drain
	must(t, json.Unmarshal([]byte(good), &d))
	for field, text := range map[string]string{
		"ID":         strings.Replace(good, `"service":"tcp://10.1.0.1:80",`, "", 1),
		"Deadline":   strings.Replace(good, `,"deadline":"2026-11-27T00:05:00Z"`, "", 1),
		"realserve":  strings.Replace(good, "realServer", "realserve", 1),
		"weightless": strings.Replace(good, "}", `,"before":[{"addr":"10.2.0.2:80","weightless":1}]}`, 1),
	} {
		err := json.Unmarshal([]byte(text), &d)
		ofKind(t, text, err, ErrInvalid)
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v does not name %s", text, err, field)
		}
	}
}

// What a drain and its end say.
func TestDrainString(t *testing.T) {
	began := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	one := Drain{Service: webID, RealServer: webRIP, Began: began, Deadline: began.Add(time.Minute)}
	all := Drain{Service: webID, Began: began, Deadline: began.Add(time.Minute)}
	compare(t, "drain", "tcp://10.1.0.1:80 -> 10.2.0.2:80 draining until 2026-11-27T00:01:00Z", one.String())
	compare(t, "drain of a service", "tcp://10.1.0.1:80 draining until 2026-11-27T00:01:00Z", all.String())
	for reason, want := range map[DrainReason]string{
		"":               "tcp://10.1.0.1:80 draining until 2026-11-27T00:01:00Z",
		DrainedConns:     "tcp://10.1.0.1:80 drained in 1m30.5s: no connections left",
		DrainedDeadline:  "tcp://10.1.0.1:80 removed after 1m30.5s, at the deadline: 4 connections cut",
		DrainTakenBack:   "tcp://10.1.0.1:80 is wanted again after 1m30.5s",
		DrainGoneAlready: "tcp://10.1.0.1:80 was removed by another program after 1m30.5s",
		"rain":           "tcp://10.1.0.1:80 ended after 1m30.5s: rain",
	} {
		compare(t, string(reason), want, DrainEnd{Drain: all, Reason: reason, Ended: began.Add(90500 * time.Millisecond), Conns: 4}.String())
	}
	compare(t, "one connection", "tcp://10.1.0.1:80 -> 10.2.0.2:80 removed after 1m0s, at the deadline: 1 connection cut",
		DrainEnd{Drain: one, Reason: DrainedDeadline, Ended: one.Deadline, Conns: 1}.String())
}
