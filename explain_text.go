package lvs

import (
	"fmt"
	"net/netip"
	"strings"
)

// String says it in a few lines, the answer first.
func (x Explanation) String() string {
	lines := append([]string{x.subject()}, x.answer()...)
	if x.Unanswered != 0 {
		lines = append(lines, "no answers: "+x.Unanswered.String())
	}
	if c := x.Connection; c != nil {
		line := fmt.Sprintf("it has a connection to %s in state %s", c.Server, c.State)
		if x.Ended != "" {
			line += ", which does not count: " + x.Ended
		}
		lines = append(lines, line)
	}
	if t := x.Template; t != nil {
		line := fmt.Sprintf("a template ties %s for %s to %s", t.Client.Addr(), t.about(), t.Server)
		if x.TemplateInvalid {
			line += ", but no more: the server was removed, or quiesced with expire_quiescent_template"
		}
		lines = append(lines, line)
	}
	if x.Pick != nil {
		lines = append(lines, x.Pick.lines()...)
	}
	return strings.Join(lines, "\n  ")
}

// subject says what was asked about.
func (x Explanation) subject() string {
	if x.Error == nil {
		return x.Flow.String()
	}
	return fmt.Sprintf("%s, about %s", x.Error, x.Flow)
}

// answer says what happens to the packet, or may happen, and what that depends on.
func (x Explanation) answer() []string {
	if x.Certain {
		return []string{x.Verdicts[0].String()}
	}
	lines := []string{"not certain; one of these:"}
	shown, more := few(x.Verdicts)
	for _, v := range shown {
		lines = append(lines, "- "+v.String())
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("- %d others", more))
	}
	for _, u := range x.Unseen {
		lines = append(lines, "it depends on "+u)
	}
	return lines
}

// about says for what a template is.
func (c *Connection) about() string {
	switch {
	case c.Protocol == 0:
		return "a firewall mark"
	case c.VIP.Port() == 0:
		return fmt.Sprintf("all ports of %s %s", c.Protocol, c.VIP.Addr())
	}
	return fmt.Sprintf("%s %s", c.Protocol, c.VIP)
}

// lines say how the scheduler picks.
func (c *Pick) lines() []string {
	var how string
	switch {
	case c.Buckets > 0:
		how = c.bucketLine()
	case c.Best != nil && c.Next != nil:
		how = fmt.Sprintf("%s %s; the next, %s, %s", c.Best.Server, c.loadOf(c.Best), c.Next.Server, c.loadOf(c.Next))
	case c.Best != nil:
		how = fmt.Sprintf("%s %s, and no other can be picked", c.Best.Server, c.loadOf(c.Best))
	case c.Last.IsValid():
		how = fmt.Sprintf("%s was the last", c.Last)
	case len(c.Drawn) == 2:
		how = fmt.Sprintf("it draws %s and %s", c.Drawn[0], c.Drawn[1])
	}
	if c.Round > 0 {
		how = strings.TrimPrefix(fmt.Sprintf("%s, and this round takes a weight of %d", how, c.Round), ", and ")
	}
	if len(c.Remembered) > 0 {
		how = fmt.Sprintf("it remembers %s; %s", list(c.Remembered), how)
	}
	var lines []string
	if how != "" {
		lines = append(lines, fmt.Sprintf("%s: %s", c.Scheduler, strings.TrimSuffix(how, "; ")))
	}
	if len(c.PassedOver) > 0 {
		lines = append(lines, "passed over: "+c.passed(c.PassedOver))
	}
	return lines
}

func (c *Pick) bucketLine() string {
	where := fmt.Sprintf("bucket %d of %d", c.Bucket, c.Buckets)
	if len(c.Tried) == 0 {
		return where
	}
	where += " is " + c.Tried[0].Server.String() + "'s"
	if why := c.why(&c.Tried[0]); why != "" {
		where += ", which " + why
	}
	if c.Steps == 0 {
		return where
	}
	last := &c.Tried[len(c.Tried)-1]
	if c.why(last) != "" {
		return fmt.Sprintf("%s; the fallback found no server in %d steps", where, c.Steps)
	}
	where = fmt.Sprintf("%s; the fallback found %s at step %d", where, last.Server, c.Steps)
	if between := c.Tried[1 : len(c.Tried)-1]; len(between) > 0 {
		where += " past " + c.passed(between)
	}
	return where
}

// loadOf says what a server has to do, as the scheduler sees it.
func (c *Pick) loadOf(s *Candidate) string {
	what := fmt.Sprintf("%d active and %d inactive", s.ActiveConns, s.InactiveConns)
	switch c.Scheduler {
	case FO, OVF:
		return fmt.Sprintf("has weight %d (%s)", s.Weight, what)
	case LC:
		return fmt.Sprintf("has load %d (%s)", s.Load, what)
	}
	return fmt.Sprintf("has load %d for weight %d (%s)", s.Load, s.Weight, what)
}

func (c *Pick) passed(servers []Candidate) string {
	var words []string
	shown, more := few(servers)
	for _, s := range shown {
		words = append(words, fmt.Sprintf("%s %s", s.Server, c.why(&s)))
	}
	if more > 0 {
		words = append(words, fmt.Sprintf("%d others", more))
	}
	return strings.Join(words, ", ")
}

// why says what keeps a server from being picked, "" if nothing does.
func (c *Pick) why(s *Candidate) string {
	switch {
	case s.Weight == 0:
		return "has weight 0"
	case s.Overloaded:
		return "is closed since it reached its upper threshold"
	case c.Scheduler == OVF && s.ActiveConns > s.Weight:
		return fmt.Sprintf("has more active connections, %d, than its weight, %d", s.ActiveConns, s.Weight)
	}
	return ""
}

func list(servers []netip.AddrPort) string {
	var words []string
	for _, s := range servers {
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

// few returns as many as one likes to read, and how many others there are.
func few[T any](all []T) (shown []T, more int) {
	const most = 10
	if len(all) <= most+1 {
		return all, 0
	}
	return all[:most], len(all) - most
}
