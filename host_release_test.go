package lvs

import "testing"

func TestKernelRelease(t *testing.T) {
	for build, want := range map[string]string{
		"#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-05-01)": "6.1.176", "Debian 6.12.94": "6.12.94",
		"#1 SMP Debian 6.1-1": "", "#42-Ubuntu SMP": "", "Debian ": "", "": "",
	} {
		if got := debianVersion(build); got != want {
			t.Errorf("%q: got %q, want %q", build, got, want)
		}
	}
	for kernel, want := range map[string]string{"": SimDefaultKernel, "6.1.176": "6.1.176", "7.2.0": "7.2.0"} {
		s, err := NewSimulator(SimOptions{Kernel: kernel})
		must(t, err)
		if got, err := s.Host().KernelRelease(t.Context()); err != nil || got != want {
			t.Errorf("of a simulated %q: %q, %v; want %q", kernel, got, err, want)
		}
	}
}
