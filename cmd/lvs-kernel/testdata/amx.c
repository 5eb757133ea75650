/*
 * ptrace as on a processor with AMX: PTRACE_SETREGSET refuses processor state
 * of less than 11,008 bytes. Loaded after the padding, or without it.
 */

struct iovec {
	void *base;
	unsigned long len;
};

void *dlsym(void *handle, const char *symbol);
int *__errno_location(void);

#define RTLD_NEXT ((void *)-1L)
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE ((void *)0x202)
#define EFAULT 14

long ptrace(int request, int pid, void *addr, void *data)
{
	static long (*next)(int, ...);
	struct iovec *state = data;

	if (!next)
		next = dlsym(RTLD_NEXT, "ptrace");
	if (request == PTRACE_SETREGSET && addr == NT_X86_XSTATE && state->len < 11008) {
		*__errno_location() = EFAULT;
		return -1;
	}
	return next(request, pid, addr, data);
}
