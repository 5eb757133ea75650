/*
 * ptrace for User-Mode Linux before 6.16 on processors with AMX.
 *
 * Such a kernel hands 2,696 bytes of processor state to PTRACE_SETREGSET. The
 * host takes no less than the whole area that its processor has, 11,008 bytes
 * with AMX, and reads no more than that from a longer buffer. So the state is
 * handed over in a buffer that is longer than any area. Zeros are right for the
 * rest: the header, which is in front, says that it is in its initial state.
 *
 * It is compiled without the headers of a C library, which may not be there.
 */

struct iovec {
	void *base;
	unsigned long len;
};

void *dlsym(void *handle, const char *symbol);
void *memcpy(void *to, const void *from, unsigned long n);

#define RTLD_NEXT ((void *)-1L)
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE ((void *)0x202)

/* The kernel traces from one thread, and all its buffers have one length. */
static char area[1 << 16];

long ptrace(int request, int pid, void *addr, void *data)
{
	static long (*next)(int, ...);
	struct iovec *state = data, padded;

	if (!next)
		next = dlsym(RTLD_NEXT, "ptrace");
	if (request == PTRACE_SETREGSET && addr == NT_X86_XSTATE && state->len < sizeof area) {
		memcpy(area, state->base, state->len);
		padded.base = area;
		padded.len = sizeof area;
		data = &padded;
	}
	return next(request, pid, addr, data);
}
