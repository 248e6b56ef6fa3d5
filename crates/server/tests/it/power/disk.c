/* A disk that the power can leave and that can fail, for the files of one database: loaded into the program by
 * LD_PRELOAD, it writes down every write, sync, truncation, creation and removal before it happens, so that what a disk
 * may have held at any moment can be worked out afterwards; and at a call of its number it fails, or ends the process as
 * a power cut does. It changes nothing of what the program reads. `harness/disk.rs` is the other side.
 *
 * All calls are made as system calls: nothing has to be looked up, whoever calls first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Shared with the test, which writes the file; all by one word. */
struct control {
    volatile uint64_t calls;      /* that were counted so far */
    volatile uint64_t fail_from;  /* the first call that fails; 0: none */
    volatile uint64_t fail_until; /* the first one that does not again */
    volatile uint64_t error;      /* errno, or SHORT */
    volatile uint64_t failed;     /* calls that did */
    volatile uint64_t die_at;     /* the call before which the process ends; 0: none */
    volatile uint64_t reads;      /* whether reads are counted, too */
    volatile int64_t clock;       /* seconds to add to the time of day */
};
#define SHORT 10000

enum { WRITE = 1, TRUNCATE, SYNC_BEGUN, SYNCED, SYNC_FAILED, CREATED, REMOVED };

struct record {
    uint32_t kind, file;
    uint64_t offset, length, sync;
};

/* What a descriptor is of; the same numbers are in records. */
enum { OTHER = 0, DATABASE, LOG, JOURNAL, DIRECTORY, INDEX };

#define DESCRIPTORS 65536
static unsigned char files[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static int records = -1;
static uint64_t syncs;
static const char *directory;

__attribute__((constructor)) static void begin(void) {
    const char *page = getenv("EINMAL_DISK_CONTROL"), *journal = getenv("EINMAL_DISK_RECORDS");
    directory = getenv("EINMAL_DISK_DIRECTORY");
    if (!page || !journal || !directory) return;
    int file = syscall(SYS_openat, AT_FDCWD, page, O_RDWR | O_CLOEXEC, 0);
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    records = syscall(SYS_openat, AT_FDCWD, journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (shared == MAP_FAILED || records < 0) _exit(99);
    control = shared;
}

static int file_of_name(const char *path) {
    static const char *names[] = { "einmal.db", "einmal.db-wal", "einmal.db-journal", NULL, "einmal.db-shm" };
    if (!control || !path) return OTHER;
    if (strcmp(path, directory) == 0) return DIRECTORY;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (int index = 0; index < 5; index++)
        if (names[index] && strcmp(name, names[index]) == 0) return index + 1;
    return OTHER;
}

static int file_of(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor] : OTHER;
}

/* Whether it is one whose content a disk keeps: the index is made anew from the log. */
static int is_kept(int file) { return file >= DATABASE && file <= JOURNAL; }

/* Counts the call: 0 if it is to be made, or how it fails. */
static int next_call(void) {
    uint64_t number = ++control->calls;
    if (control->fail_from && number >= control->fail_from && number < control->fail_until) {
        control->failed++;
        return (int)control->error;
    }
    return 0;
}

static void die_if_it_is_time(void) {
    if (control->die_at && control->calls >= control->die_at)
        for (;;) syscall(SYS_kill, getpid(), SIGKILL);
}

static void note(uint32_t kind, uint32_t file, uint64_t offset, const void *data, uint64_t length, uint64_t sync) {
    struct record record = { kind, file, offset, length, sync };
    struct iovec parts[2] = { { &record, sizeof record }, { (void *)data, data ? length : 0 } };
    /* What cannot be written down must not happen. */
    if (syscall(SYS_writev, records, parts, data ? 2 : 1) != (long)(sizeof record + (data ? length : 0))) _exit(98);
}

static int refused(int error) {
    errno = error;
    return -1;
}

static int open_file(int at, const char *path, int flags, mode_t mode) {
    int file = file_of_name(path);
    if (file == OTHER) return syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int error = next_call(), opened = -1;
    if (error && error != SHORT) {
        pthread_mutex_unlock(&lock);
        return refused(error);
    }
    if (is_kept(file)) {
        int is_there = syscall(SYS_faccessat, at, path, F_OK, 0) == 0;
        if (!is_there && (flags & O_CREAT)) note(CREATED, file, 0, NULL, 0, 0);
        if (is_there && (flags & O_TRUNC)) note(TRUNCATE, file, 0, NULL, 0, 0);
    }
    die_if_it_is_time();
    opened = syscall(SYS_openat, at, path, flags, mode);
    int why = errno;
    if (opened >= 0 && opened < DESCRIPTORS) files[opened] = (unsigned char)file;
    pthread_mutex_unlock(&lock);
    errno = why;
    return opened;
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = (mode_t)va_arg(rest, int);                                                                              \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_file(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_file(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_file(at, path, flags | O_LARGEFILE, mode);
}

int close(int descriptor) {
    if (file_of(descriptor) != OTHER) files[descriptor] = OTHER;
    return syscall(SYS_close, descriptor);
}

static ssize_t write_at(int descriptor, const void *data, size_t length, off64_t offset, int has_offset) {
    int file = file_of(descriptor);
    if (!is_kept(file)) {
        return has_offset ? syscall(SYS_pwrite64, descriptor, data, length, offset)
                          : syscall(SYS_write, descriptor, data, length);
    }
    pthread_mutex_lock(&lock);
    int error = next_call();
    if (error && error != SHORT) {
        pthread_mutex_unlock(&lock);
        return refused(error);
    }
    if (error == SHORT && length > 1) length /= 2;
    if (!has_offset) offset = syscall(SYS_lseek, descriptor, (off_t)0, SEEK_CUR);
    note(WRITE, file, offset, data, length, 0);
    die_if_it_is_time();
    ssize_t written = has_offset ? syscall(SYS_pwrite64, descriptor, data, length, offset)
                                 : syscall(SYS_write, descriptor, data, length);
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return written;
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    return write_at(descriptor, data, length, offset, 1);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    return write_at(descriptor, data, length, offset, 1);
}

ssize_t write(int descriptor, const void *data, size_t length) { return write_at(descriptor, data, length, 0, 0); }

static int fails_to_read(int descriptor) {
    if (!control || !control->reads || !is_kept(file_of(descriptor))) return 0;
    pthread_mutex_lock(&lock);
    int error = next_call();
    pthread_mutex_unlock(&lock);
    return error == SHORT ? 0 : error;
}

ssize_t pread64(int descriptor, void *data, size_t length, off64_t offset) {
    int error = fails_to_read(descriptor);
    return error ? refused(error) : syscall(SYS_pread64, descriptor, data, length, offset);
}

ssize_t pread(int descriptor, void *data, size_t length, off_t offset) {
    return pread64(descriptor, data, length, offset);
}

ssize_t read(int descriptor, void *data, size_t length) {
    int error = fails_to_read(descriptor);
    return error ? refused(error) : syscall(SYS_read, descriptor, data, length);
}

static int truncate_to(int descriptor, off64_t length) {
    int file = file_of(descriptor);
    if (!is_kept(file)) return syscall(SYS_ftruncate, descriptor, length);
    pthread_mutex_lock(&lock);
    int error = next_call(), result;
    if (error && error != SHORT) {
        pthread_mutex_unlock(&lock);
        return refused(error);
    }
    note(TRUNCATE, file, length, NULL, 0, 0);
    die_if_it_is_time();
    result = syscall(SYS_ftruncate, descriptor, length);
    int why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int ftruncate(int descriptor, off_t length) { return truncate_to(descriptor, length); }
int ftruncate64(int descriptor, off64_t length) { return truncate_to(descriptor, length); }

/* Not under the lock while it lasts: what others write meanwhile is not covered by it. */
static int sync_file(int call, int descriptor) {
    int file = file_of(descriptor);
    if (!is_kept(file) && file != DIRECTORY) return syscall(call, descriptor);
    pthread_mutex_lock(&lock);
    int error = next_call();
    uint64_t sync = ++syncs;
    if (error && error != SHORT) {
        note(SYNC_FAILED, file, 0, NULL, 0, sync);
        pthread_mutex_unlock(&lock);
        return refused(error);
    }
    note(SYNC_BEGUN, file, 0, NULL, 0, sync);
    die_if_it_is_time();
    pthread_mutex_unlock(&lock);
    int result = syscall(call, descriptor), why = errno;
    pthread_mutex_lock(&lock);
    note(result == 0 ? SYNCED : SYNC_FAILED, file, 0, NULL, 0, sync);
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int fsync(int descriptor) { return sync_file(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_file(SYS_fdatasync, descriptor); }

int unlink(const char *path) {
    int file = file_of_name(path);
    if (!is_kept(file)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    int error = next_call();
    if (error && error != SHORT) {
        pthread_mutex_unlock(&lock);
        return refused(error);
    }
    note(REMOVED, file, 0, NULL, 0, 0);
    die_if_it_is_time();
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0), why = errno;
    pthread_mutex_unlock(&lock);
    errno = why;
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && control) time->tv_sec += control->clock;
    return result;
}
