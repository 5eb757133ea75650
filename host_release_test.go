package lvs

import "testing"

func TestKernelRelease(t *testing.T) {
	for kernel, want := range map[string]string{"": SimDefaultKernel, "6.1.176": "6.1.176", "7.2.0": "7.2.0"} {
		s, err := NewSimulator(SimOptions{Kernel: kernel})
		must(t, err)
		if got, err := s.Host().KernelRelease(t.Context()); err != nil || got != want {
			t.Errorf("of a simulated %q: %q, %v; want %q", kernel, got, err, want)
		}
	}
}
