/*
 * The time of day as a test wants it: loaded before all other libraries (LD_PRELOAD), this adds to
 * it the milliseconds that the file holds which CLOCK_SKEW_FILE names. Clocks that only measure
 * how long something takes go on, as they do where the system's time is set.
 *
 * libfaketime, which does the same, cannot be loaded into Letterbox: it asks for symbols while it
 * is loaded, and what glibc frees then comes to mimalloc, which frees for all of the process and
 * has not begun. So nothing here allocates, and the kernel is asked directly.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static const volatile int64_t *millis = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_SKEW_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED)
        millis = shared;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t micros = time->tv_nsec / 1000 + *millis * 1000;
        int64_t seconds = micros / 1000000 - (micros % 1000000 < 0);
        time->tv_sec += seconds;
        time->tv_nsec = (micros - seconds * 1000000) * 1000 + time->tv_nsec % 1000;
    }
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    if (where)
        *where = time.tv_sec;
    return time.tv_sec;
}
