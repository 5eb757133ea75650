//go:build !(linux && amd64)

package main

// guestMain does nothing where no kernel of the catalogue runs.
func guestMain([]string) (int, bool) { return 0, false }
