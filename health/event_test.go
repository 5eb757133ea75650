package health

import "testing"

func TestLimitCrossedString(t *testing.T) {
	for _, c := range []struct {
		limit           Limit
		below           bool
		working, needed float64
		want            string
	}{
		{Limit{Share: 0.5, Then: KeepAll}, true, 1.0 / 3, 0.6, "too few servers work, 33.3 % of the servers: keep all until it is 60 % of the servers"},
		{Limit{Count: 2, Then: Withdraw}, true, 1, 3, "too few servers work, 1 server: withdraw until it is 3 servers"},
		{Limit{Weight: 20, Then: Report}, true, 10, 20, "too few servers work, a weight of 10: report until it is a weight of 20"},
		{Limit{Share: 0.5, Then: KeepAll}, false, 1, 0.5, "enough servers work, 100 % of the servers"},
		{Limit{Count: 2, Then: SorryServer}, false, 2, 2, "enough servers work, 2 servers"},
		{Limit{Weight: 20, Then: Report}, false, 25, 20, "enough servers work, a weight of 25"},
	} {
		e := LimitCrossed{Service: web, Below: c.below, Limit: c.limit, Working: c.working, Needed: c.needed}
		if got, want := e.String(), web.String()+": "+c.want; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
