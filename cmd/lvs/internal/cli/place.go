package cli

// Netns returns the name or path of the network namespace that the flags name, "" for
// that of the program.
func (e *Env) Netns() string { return e.ground.netns }

// IsHere reports whether the host is that of the program, and neither simulated nor
// another network namespace.
func (e *Env) IsHere() bool { return !e.ground.demo && e.ground.netns == "" }
