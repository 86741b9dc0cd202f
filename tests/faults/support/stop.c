/* A place in the save of a login at which a program stops that is started with LD_PRELOAD, as if by SIGSTOP, so that a
   test can kill it there. The file that KIRO_TEST_STOP names holds the place as one byte; a file counts whose path has
   the text of KIRO_TEST_STOP_AT in it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const volatile char *place;

__attribute__((constructor)) static void start(void) {
    const char *name = getenv("KIRO_TEST_STOP");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *map = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED)
        place = map;
    close(file);
}

static void pass(char here, const char *path) {
    const char *at = getenv("KIRO_TEST_STOP_AT");
    /* To this thread, which then goes no further; a signal to the process may be taken by another one. */
    if (place && *place == here && at && strstr(path, at))
        raise(SIGSTOP);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    pass('w', path);
    return real(file);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real)
        real = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    pass('s', to);
    int result = real(from, to);
    pass('r', to);
    return result;
}
