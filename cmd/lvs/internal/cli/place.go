package cli

// Netns returns the name or path of the network namespace that the flags name, "" for
// that of the program.
func (e *Env) Netns() string { return e.ground.netns }
