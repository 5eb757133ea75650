package health

// MarshalJSON returns the policy in JSON. Fields that are zero are left out, durations
// are texts such as "1m30s", and probes are as [MarshalProbe] returns them.
func (p Policy) MarshalJSON() ([]byte, error) { return encode(&p) }

// UnmarshalJSON reads what MarshalJSON returns, and leaves the policy as it is if it
// cannot. A field that is unknown or there twice is refused. The error matches
// [lvs.ErrInvalid], and its field is the path of what is wrong, such as
// "checks[0].probe.http.path". The policy is not validated.
func (p *Policy) UnmarshalJSON(text []byte) error { return decode(text, p) }

// UnmarshalJSON reads what package json writes of an override, as that of [Policy] does.
func (o *Override) UnmarshalJSON(text []byte) error { return decode(text, o) }

// MarshalJSON returns the check in JSON, as in a [Policy].
func (c Check) MarshalJSON() ([]byte, error) { return encode(&c) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (c *Check) UnmarshalJSON(text []byte) error { return decode(text, c) }

// MarshalJSON returns the limit in JSON, as in a [Policy].
func (l Limit) MarshalJSON() ([]byte, error) { return encode(&l) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (l *Limit) UnmarshalJSON(text []byte) error { return decode(text, l) }

// MarshalJSON returns the slow start in JSON, as in a [Policy].
func (s SlowStart) MarshalJSON() ([]byte, error) { return encode(&s) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (s *SlowStart) UnmarshalJSON(text []byte) error { return decode(text, s) }

// MarshalJSON returns the rules in JSON, as in a [Policy].
func (l Load) MarshalJSON() ([]byte, error) { return encode(&l) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (l *Load) UnmarshalJSON(text []byte) error { return decode(text, l) }
