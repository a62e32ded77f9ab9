/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smmap: random and sequential access to any number of files of any size, through memory maps, inside a
 * fixed budget of mapped bytes and mapped regions.
 *
 * A *manager* is one budget over many files. A *cursor* names a place in one file and keeps it mapped; a
 * *buffer* makes a range of a file look like one array. The manager divides each file into *regions* of one
 * window size W, maps the regions that are asked for and gives the least useful ones back when the budget
 * is reached. Regions that a cursor or a buffer uses are *pinned*: they are never given back.
 *
 * Read this first
 * ---------------
 *  - A pointer lives as long as its pin: until the cursor moves (smmap_cursor_use_region), lets go
 *    (smmap_cursor_unuse_region) or is closed. In stable placement (see smmap_file_status) a byte keeps its
 *    address as long as any cursor, buffer or view of its file is held; do not build on it elsewhere.
 *  - Files change. Another process may truncate a mapped file; reading behind its new end raises SIGBUS and
 *    kills the process, unless the guard is on (smmap_guard_enable): then the reader sees zeros, the file
 *    is marked and every later library call on it reports the error. Copying reads (smmap_read,
 *    smmap_buffer_slice) check for this before they return and report the error themselves.
 *  - Some changes raise no signal at all: bytes overwritten in place, a file cut inside its last page, cut
 *    and grown again, or with a hole punched into it. smmap_verify tells; nothing tells by itself, unless the
 *    manager is asked to look (smmap_options.change), and that sees only what is there when it looks.
 *  - No time-out is promised: a page fault on a stalled disk or network file system waits as long as the
 *    system does, and so may others who open, read or change the same file then. No lock of ours is held meanwhile:
 *    whoever uses other files goes on.
 *  - Threads: a manager and its files may be used by any number of threads. A cursor, buffer, region or
 *    view belongs to one thread at a time.
 *  - fork: the child may go on using its copies of managers and cursors.
 *
 * Errors: a function that can fail returns 0 (or a count) on success and a negative SMMAP_E... code on
 * failure. On failure nothing has changed and no out-parameter was written, unless its text says otherwise.
 * System errors are the negative errno. The library never prints and never aborts on account of its caller.
 *
 * Offsets and sizes are bytes, 64-bit everywhere, also in a 32-bit build.
 */
#ifndef SMMAP_H
#define SMMAP_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SMMAP_API __attribute__((visibility("default")))
#else
#define SMMAP_API
#endif

/* ---- version ------------------------------------------------------------------------------------------ */

#define SMMAP_VERSION_MAJOR 5
#define SMMAP_VERSION_MINOR 1
#define SMMAP_VERSION_PATCH 0
#define SMMAP_VERSION_STRING "5.1.0"

/* The version of the library that is running, as "major.minor.patch". Never NULL; static storage. */
SMMAP_API const char *smmap_version(void);

/* ---- errors ------------------------------------------------------------------------------------------- */

/*
 * Every code with its value and message: X(name, value, message). One list makes the constants, their names
 * (smmap_err_name) and their messages (smmap_strerror).
 */
#define SMMAP_ERROR_MAP(X)                                                                                   \
	X(SMMAP_EPERM, -EPERM, "operation not permitted")                                                        \
	X(SMMAP_ENOENT, -ENOENT, "no such file or directory")                                                    \
	X(SMMAP_EINTR, -EINTR, "interrupted system call")                                                        \
	X(SMMAP_EIO, -EIO, "input/output error")                                                                 \
	X(SMMAP_ENXIO, -ENXIO, "no such device or address")                                                      \
	X(SMMAP_EBADF, -EBADF, "bad file descriptor")                                                            \
	X(SMMAP_EAGAIN, -EAGAIN, "resource temporarily unavailable (locked-memory limit)")                       \
	X(SMMAP_ENOMEM, -ENOMEM, "not enough memory, address space or mappings")                                 \
	X(SMMAP_EACCES, -EACCES, "permission denied")                                                            \
	X(SMMAP_EFAULT, -EFAULT, "bad address")                                                                  \
	X(SMMAP_EBUSY, -EBUSY, "still in use")                                                                   \
	X(SMMAP_ENODEV, -ENODEV, "operation not supported by this device")                                       \
	X(SMMAP_ENOTDIR, -ENOTDIR, "not a directory")                                                            \
	X(SMMAP_EISDIR, -EISDIR, "is a directory")                                                               \
	X(SMMAP_EINVAL, -EINVAL, "invalid argument")                                                             \
	X(SMMAP_ENFILE, -ENFILE, "too many open files in the system")                                            \
	X(SMMAP_EMFILE, -EMFILE, "too many open files (limit on descriptors of the process)")                    \
	X(SMMAP_ETXTBSY, -ETXTBSY, "text file busy")                                                             \
	X(SMMAP_EFBIG, -EFBIG, "file too large")                                                                 \
	X(SMMAP_ENOSPC, -ENOSPC, "no space left on device")                                                      \
	X(SMMAP_ESPIPE, -ESPIPE, "illegal seek")                                                                 \
	X(SMMAP_EROFS, -EROFS, "read-only file system")                                                          \
	X(SMMAP_ERANGE, -ERANGE, "offset or size out of range")                                                  \
	X(SMMAP_ENAMETOOLONG, -ENAMETOOLONG, "file name too long")                                               \
	X(SMMAP_ENOSYS, -ENOSYS, "function not implemented")                                                     \
	X(SMMAP_ELOOP, -ELOOP, "too many levels of symbolic links")                                              \
	X(SMMAP_EOVERFLOW, -EOVERFLOW, "value too large")                                                        \
	X(SMMAP_ENOTSUP, -ENOTSUP, "operation not supported")                                                    \
	X(SMMAP_ENOTCONN, -ENOTCONN, "the server of the file system is gone")                                    \
	X(SMMAP_ETIMEDOUT, -ETIMEDOUT, "connection timed out")                                                   \
	X(SMMAP_ESTALE, -ESTALE, "stale: the descriptor or path now means another file")                         \
	X(SMMAP_EUCLEAN, -EUCLEAN, "file system is corrupted")                                                   \
	X(SMMAP_EDQUOT, -EDQUOT, "disk quota exceeded")                                                          \
	X(SMMAP_ENOTREG, -4096, "not a regular file (pipe, socket or device)")                                   \
	X(SMMAP_ETRUNCATED, -4097, "the file was truncated: the offset is behind its end")                       \
	X(SMMAP_ECHANGED, -4098, "the file was changed")                                                         \
	X(SMMAP_EFAULTED, -4099, "a mapped page could not be read; the cause is not known")                      \
	X(SMMAP_ECLOSED, -4100, "the cursor, buffer or region is not open")                                      \
	X(SMMAP_EBUDGET, -4101, "does not fit into the memory limit")

/* The codes. */
enum smmap_error {
#define SMMAP_X(name, value, message) name = (value),
	SMMAP_ERROR_MAP(SMMAP_X)
#undef SMMAP_X
		SMMAP_OK = 0
};

/* The message of a code, in plain words, without the code itself. Never NULL; static storage; any thread. */
SMMAP_API const char *smmap_strerror(int code);

/* The name of a code ("SMMAP_ENOENT"), "SMMAP_OK" for 0, "SMMAP_EUNKNOWN" for others. Static storage. */
SMMAP_API const char *smmap_err_name(int code);

/* ---- the system --------------------------------------------------------------------------------------- */

/* The unit in which files can be mapped, in bytes; a power of two (4096 on most systems). */
SMMAP_API uint64_t smmap_allocation_granularity(void);

/*
 * `num` rounded to a multiple of the granularity, up when `round_up` is not 0, else down. A number that
 * cannot be rounded up within 64 bits gives the largest multiple that can be.
 */
SMMAP_API uint64_t smmap_align(uint64_t num, int round_up);

/* 1 when pointers have 64 bits, else 0. */
SMMAP_API int smmap_is_64_bit(void);

/* ---- windows ------------------------------------------------------------------------------------------ */

/* A range of a file: a plain value, nothing to free. All arithmetic saturates at 2^64 - 1. */
typedef struct smmap_window {
	uint64_t offset; /* first byte */
	uint64_t size;   /* number of bytes */
} smmap_window;

/* The offset of the byte after the window. */
SMMAP_API uint64_t smmap_window_end(const smmap_window *window);

/* Moves the offset down and the end up to multiples of the granularity. */
SMMAP_API void smmap_window_align(smmap_window *window);

/*
 * Extends `window` to the left, down to the end of `left`, but to no more than `max_size` bytes. A window
 * that is larger already, or begins before the end of `left`, stays as it is.
 */
SMMAP_API void smmap_window_extend_left_to(smmap_window *window, const smmap_window *left, uint64_t max_size);

/* Extends `window` to the right, up to the begin of `right`, but to no more than `max_size` bytes. */
SMMAP_API void smmap_window_extend_right_to(smmap_window *window, const smmap_window *right,
                                            uint64_t max_size);

/* ---- options and managers ----------------------------------------------------------------------------- */

/* One budget over many files. Opaque; made by smmap_manager_new. */
typedef struct smmap_manager smmap_manager;

enum smmap_kind {
	SMMAP_SLIDING = 0, /* windows of a given size */
	SMMAP_STATIC = 1   /* one window: the whole file */
};

/* How a file lives in the address space. */
enum smmap_placement {
	SMMAP_PLACEMENT_AUTO = 0,
	SMMAP_PLACEMENT_STABLE = 1,  /* mapped once as a whole; eviction gives pages back, addresses stay */
	SMMAP_PLACEMENT_DETACHED = 2 /* each region mapped by itself; eviction unmaps it */
};

/*
 * What is done about files that change while they are known. A manager that is to report or refuse compares size, times,
 * device and inode of what the file's name means (the first of its names) whenever a region is mapped, a view of more than
 * a window is made, or bytes are copied that are not mapped: one call of the system's each time; and when a file that is
 * held is opened again. What is mapped already is read on without a look.
 */
enum smmap_change_policy {
	SMMAP_CHANGE_IGNORE = 0, /* nothing: smmap_verify tells */
	SMMAP_CHANGE_REPORT = 1, /* noted: smmap_file_status.change, smmap_verify, smmap_stats.changed */
	SMMAP_CHANGE_REFUSE = 2  /* noted, and SMMAP_ECHANGED until smmap_refresh */
};

/* What happens inside, for smmap_options.trace. */
enum smmap_event {
	SMMAP_EVENT_MAP = 1,   /* a region entered the budget */
	SMMAP_EVENT_EVICT = 2, /* a region left the budget */
	SMMAP_EVENT_OPEN = 3,  /* a file became known */
	SMMAP_EVENT_DROP = 4,  /* a file is no longer known */
	SMMAP_EVENT_FAULT = 5, /* an error of a mapped page was found and classified */
	SMMAP_EVENT_READ = 6   /* a copying read was served by reading, not from the map */
};

/* One event: the file by device and inode, and the range it is about, in bytes. */
typedef struct smmap_trace_event {
	int event; /* enum smmap_event */
	uint64_t device;
	uint64_t inode;
	uint64_t offset;
	uint64_t size;
} smmap_trace_event;

/* smmap_options.flags */
#define SMMAP_ALLOW_BLOCK_DEVICES 1u /* block devices may be opened, not only regular files */
#define SMMAP_KEEP_ONE 2u /* a region that is larger than the limit, and the only one, stays as a cache */

typedef struct smmap_options {
	int kind; /* enum smmap_kind */
	unsigned flags;
	/*
	 * W in bytes. 0 or -1: 1 GiB, or 64 MiB where pointers have 32 bits. Rounded up to the granularity.
	 * A static manager's window is the whole file whatever is given here.
	 */
	int64_t window_size;
	uint64_t
		max_memory; /* limit of mapped bytes, in whole pages; 0: 8 GiB, or 1 GiB where pointers have 32 bits */
	uint64_t max_handles;     /* limit of mapped regions; 0: none */
	uint64_t max_mappings;    /* limit of mappings of the process; 0: a quarter of what the system allows */
	unsigned max_descriptors; /* limit of descriptors kept open between calls; 0: 32 */
	int placement;            /* enum smmap_placement */
	/* Memory for the library's own tables: both functions or none (malloc and free). Any thread calls. */
	void *(*allocate)(size_t size, void *context);
	void (*deallocate)(void *block, void *context);
	void *allocator_context;
	/*
	 * Called after each event, by the thread that caused it, with no lock held. It must not call the
	 * library with the same manager.
	 */
	void (*trace)(const smmap_trace_event *event, void *context);
	void *trace_context;
	int change;           /* enum smmap_change_policy */
	int reserved_int;     /* must be 0, as the rest */
	uint64_t reserved[7]; /* must be 0 */
} smmap_options;

#define SMMAP_OPTIONS_INIT                                                                                   \
	{                                                                                                        \
		SMMAP_SLIDING, 0, 0, 0, 0, 0, 0, SMMAP_PLACEMENT_AUTO, 0, 0, 0, 0, 0, SMMAP_CHANGE_IGNORE, 0,        \
		{                                                                                                    \
			0                                                                                                \
		}                                                                                                    \
	}

/*
 * Makes a manager; `options` may be NULL for the defaults. Yours to free with smmap_manager_free.
 * Memory and handle limits are soft towards pins only: what is in use is never given back, so a limit smaller
 * than what is pinned at once (a limit below one window, for example) is exceeded, and counted in
 * smmap_stats.over_budget.
 * Errors: SMMAP_EINVAL (unknown kind, placement, change policy or flag, window size below -1, one allocator function without
 * the other, reserved room not 0), SMMAP_ENOMEM.
 */
SMMAP_API int smmap_manager_new(smmap_manager **manager, const smmap_options *options);

/*
 * Gives all regions back and frees the manager. NULL is allowed. Errors: SMMAP_EBUSY while a cursor, buffer,
 * region or view of it is open: then nothing is freed. No other thread may be using the manager.
 */
SMMAP_API int smmap_manager_free(smmap_manager *manager);

/* Gives back every region that is not pinned. Returns how many. Any thread. */
SMMAP_API uint64_t smmap_manager_collect(smmap_manager *manager);

/*
 * Gives back unpinned regions, the least useful first, until `size` more bytes would fit into the memory
 * limit; 0: gives back one region. Returns how many regions. Any thread.
 */
SMMAP_API uint64_t smmap_manager_make_room(smmap_manager *manager, uint64_t size);

/*
 * Gives back every unpinned region of the file that `path` names and, when no cursor, buffer, region or view of
 * it is open, its mapping and its descriptor: for a file that will not be needed again, or that is to be replaced
 * or deleted where the system refuses to do so with mapped files. `pinned` may be NULL; else it is set to the number
 * of regions that stayed because they are in use. Returns how many were given back; 0 when the file is not known.
 * Errors: those of looking the path up (SMMAP_ENOENT ...).
 */
SMMAP_API int64_t smmap_manager_release_path(smmap_manager *manager, const char *path, uint64_t *pinned);

/* Regions that are mapped (each counts as one handle) / files that have at least one. Any thread. */
SMMAP_API uint64_t smmap_manager_num_file_handles(const smmap_manager *manager);
SMMAP_API uint64_t smmap_manager_num_open_files(const smmap_manager *manager);

/* W in bytes; 0 for a static manager. */
SMMAP_API uint64_t smmap_manager_window_size(const smmap_manager *manager);

/* Bytes charged to the budget now, and the limits. UINT64_MAX: no limit. Any thread. */
SMMAP_API uint64_t smmap_manager_mapped_memory_size(const smmap_manager *manager);
SMMAP_API uint64_t smmap_manager_max_mapped_memory_size(const smmap_manager *manager);
SMMAP_API uint64_t smmap_manager_max_file_handles(const smmap_manager *manager);

/*
 * Changes the limits (0: the default, as in smmap_options) and gives back what is over the new ones at once.
 * Any thread.
 */
SMMAP_API int smmap_manager_set_limits(smmap_manager *manager, uint64_t max_memory, uint64_t max_handles);

/* ---- statistics --------------------------------------------------------------------------------------- */

/* All counters since the manager was made, all sizes in bytes. */
typedef struct smmap_stats {
	/* now */
	uint64_t mapped_bytes;   /* charged to the budget */
	uint64_t exported_bytes; /* handed out by smmap_buffer_view beyond one window; not in the budget */
	uint64_t handles;        /* mapped regions */
	uint64_t mappings;       /* mappings of the address space */
	uint64_t descriptors;    /* open descriptors */
	uint64_t files;          /* known files */
	uint64_t table_bytes;    /* memory of the manager's own tables */
	/* highest values so far */
	uint64_t peak_mapped_bytes;
	uint64_t peak_handles;
	uint64_t peak_mappings;
	uint64_t peak_descriptors;
	/* counters */
	uint64_t hits;        /* regions asked for and found; a cursor adds its own when it misses or is closed */
	uint64_t misses;      /* regions asked for and mapped */
	uint64_t evictions;   /* regions given back */
	uint64_t rescues;     /* regions taken back while they were being evicted */
	uint64_t waits;       /* times a thread waited for another one's system call on the same region */
	uint64_t maps;        /* mappings made */
	uint64_t unmaps;      /* mappings given up */
	uint64_t opens;       /* files opened by the system */
	uint64_t copied;      /* bytes copied from mapped regions by copying reads */
	uint64_t preads;      /* reads by the system instead of through a map */
	uint64_t pread_bytes; /* bytes that came that way */
	uint64_t prefetches;  /* times that a file was switched to reading ahead of sequential use */
	uint64_t over_budget; /* moments when pins alone exceeded a limit */
	uint64_t retries;     /* times the system refused and a victim was given back */
	uint64_t fallback_private;  /* files mapped privately because a shared mapping was refused */
	uint64_t fallback_detached; /* files placed detached because the address space was refused */
	uint64_t fallback_memory;   /* files read into memory because they cannot be mapped */
	uint64_t faults;            /* files marked with an error of a mapped page */
	uint64_t errors;            /* calls that returned an error */
	uint64_t changed;           /* files found changed by the look that smmap_options.change asks for */
	uint64_t reserved[7];
} smmap_stats;

/* Fills `stats`. The figures are taken one after another while other threads go on. Any thread. */
SMMAP_API void smmap_manager_stats(const smmap_manager *manager, smmap_stats *stats);

/* ---- cursors ------------------------------------------------------------------------------------------ */

/*
 * A place in one file, kept mapped. The struct is yours (stack or heap) and begins as SMMAP_CURSOR_INIT; it
 * may be moved in memory but not copied (use smmap_cursor_assign). One thread at a time.
 */
typedef struct smmap_cursor {
	/* For reading: what the cursor covers. `data` is NULL and `size` 0 when the cursor is not valid. */
	const unsigned char *data;
	uint64_t offset;
	uint64_t size;
	/* The rest belongs to the library. */
	smmap_manager *manager;
	struct smmap__file *file;
	struct smmap__name *name;
	struct smmap__leaf *pin_leaf[2];
	struct smmap__leaf *read_leaf;
	uint64_t read_index;
	uint64_t read_next;
	uint64_t run;
	uint64_t last_slot;
	uint64_t hits;
	uint64_t copied;
	const unsigned char *read_data;
	void *read_word;
	uint64_t read_begin;
	uint64_t read_size;
	uint64_t pin_index;
	uint32_t pin_slot[2];
	uint32_t pin_slots;
	uint32_t read_pinned;
	uint32_t tick;
	int flags;
	uint64_t reserved[2];
} smmap_cursor;

#define SMMAP_CURSOR_INIT                                                                                    \
	{                                                                                                        \
		0, 0, 0, 0, 0, 0, {0, 0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0, 0}, 0, 0, 0, 0,                    \
		{                                                                                                    \
			0                                                                                                \
		}                                                                                                    \
	}

/*
 * Opens `path` and binds the cursor to it; the cursor is not valid yet (nothing is pinned). `flags` are further
 * flags of open(2), O_NOATIME or O_NOFOLLOW for example; access modes, O_CREAT, O_TRUNC and O_PATH are refused.
 * A file that is known under another name already is shared, with the flags it was opened with.
 * Whatever the cursor was bound to before is let go on success.
 * Errors: SMMAP_EINVAL (a refused flag), those of open(2) (SMMAP_ENOENT for an empty path), SMMAP_EISDIR,
 * SMMAP_ENOTREG (FIFO, socket, character device; block device without SMMAP_ALLOW_BLOCK_DEVICES),
 * SMMAP_ENOTSUP (hugetlbfs), SMMAP_EFBIG (a file that has to be read at once, since it says size 0 or is small and cannot
 * be mapped, and is larger than 64 MiB or the memory limit), SMMAP_ECHANGED (a file that others hold has changed, with
 * SMMAP_CHANGE_REFUSE).
 */
SMMAP_API int smmap_cursor_open(smmap_cursor *cursor, smmap_manager *manager, const char *path, int flags);

/*
 * The same for an open descriptor, which must be readable and stays yours; the library keeps a duplicate of its
 * own where it needs one. Errors: SMMAP_EBADF (negative, closed or write-only), and the above.
 */
SMMAP_API int smmap_cursor_open_fd(smmap_cursor *cursor, smmap_manager *manager, int fd);

/* Lets go of region and file. The cursor is as SMMAP_CURSOR_INIT afterwards; closing that is harmless. */
SMMAP_API void smmap_cursor_close(smmap_cursor *cursor);

/*
 * Makes `to` a copy of `from` with a pin of its own; what `to` held is let go on success. Assigning a cursor to
 * itself changes nothing. Errors: those of smmap_cursor_use_region.
 */
SMMAP_API int smmap_cursor_assign(smmap_cursor *to, const smmap_cursor *from);

/*
 * Pins and offers the range that begins at `offset`: min(size or W, W, file_end - offset) bytes, where a `size`
 * of 0 asks for W and W is the whole file for a static manager. Returns that number of bytes; `cursor->data` is
 * the byte at `offset`. At or past the end of the file it returns 0 and the cursor is not valid.
 * The range is never cut by a border between regions. What was pinned before is let go on success.
 * Errors: SMMAP_ECLOSED, the error of a faulted file (see smmap_cursor_error), SMMAP_ENOMEM, SMMAP_EMFILE,
 * SMMAP_ENFILE and SMMAP_EAGAIN when the system refuses although everything unpinned was given back,
 * SMMAP_ESTALE when the file must be opened again and its name means another file now, those of open(2) then and of
 * mmap(2); SMMAP_ECHANGED with SMMAP_CHANGE_REFUSE, and those of stat(2).
 */
SMMAP_API int64_t smmap_cursor_use_region(smmap_cursor *cursor, uint64_t offset, uint64_t size);

/* Lets go of the region; the cursor stays bound to its file and is not valid. */
SMMAP_API void smmap_cursor_unuse_region(smmap_cursor *cursor);

/* The address of the `size` bytes at `offset` when the cursor covers them all, else NULL. Never maps. */
static inline const unsigned char *smmap_cursor_at(const smmap_cursor *cursor, uint64_t offset, uint64_t size)
{
	uint64_t delta = offset - cursor->offset;
	if (delta >= cursor->size)
		return NULL;
	const unsigned char *at = cursor->data + (size_t)delta;
#if defined(__GNUC__)
	/* What a caller's own test for NULL would ask again; and one byte needs no second comparison. */
	if (at == NULL)
		__builtin_unreachable();
	if (__builtin_constant_p(size) && size <= 1)
		return at;
#endif
	return size <= cursor->size - delta ? at : NULL;
}

/* 1 when the byte at `offset` is within the cursor, else 0. */
static inline int smmap_cursor_includes_ofs(const smmap_cursor *cursor, uint64_t offset)
{
	return offset - cursor->offset < cursor->size;
}

/* 1 when a region is in use / when the cursor is bound to a file, else 0. */
static inline int smmap_cursor_is_valid(const smmap_cursor *cursor)
{
	return cursor->size != 0;
}
static inline int smmap_cursor_is_associated(const smmap_cursor *cursor)
{
	return cursor->file != NULL;
}

/* First byte, its offset, the number of bytes, and the offset after the last; NULL and 0 when not valid. */
static inline const unsigned char *smmap_cursor_data(const smmap_cursor *cursor)
{
	return cursor->data;
}
static inline uint64_t smmap_cursor_ofs_begin(const smmap_cursor *cursor)
{
	return cursor->offset;
}
static inline uint64_t smmap_cursor_size(const smmap_cursor *cursor)
{
	return cursor->size;
}
static inline uint64_t smmap_cursor_ofs_end(const smmap_cursor *cursor)
{
	return cursor->offset + cursor->size;
}

/* The size of the file as the library knows it (when opened, or since the last refresh); 0 when not bound. */
SMMAP_API uint64_t smmap_cursor_file_size(const smmap_cursor *cursor);

/* The path that the cursor was opened with; borrowed, until it is closed. NULL for a descriptor or unbound. */
SMMAP_API const char *smmap_cursor_path(const smmap_cursor *cursor);

/* The caller's descriptor that the cursor was opened with, or SMMAP_EINVAL for a path, or SMMAP_ECLOSED. */
SMMAP_API int smmap_cursor_fd(const smmap_cursor *cursor);

/*
 * The whole contiguous mapping that the cursor's pins hold: the region or regions it lies in (the whole file for
 * a static manager). Both out-parameters are borrowed for as long as the cursor's own range is.
 * Errors: SMMAP_ECLOSED when the cursor is not valid.
 */
SMMAP_API int smmap_cursor_map(const smmap_cursor *cursor, const unsigned char **data, smmap_window *window);

/*
 * Copies up to `size` bytes from `offset` on to `to`, across any number of regions, without moving the cursor.
 * Returns the number of bytes copied: less than `size` only at the end of the file, or when the next byte cannot
 * be read. When not even one byte can be copied the error is returned: the error of the system (SMMAP_EIO ...),
 * SMMAP_ETRUNCATED behind the end that the file has now, SMMAP_ECLOSED, SMMAP_ESTALE, SMMAP_ECHANGED.
 * Never exceeds the budget: what does not fit is read by pread.
 */
SMMAP_API int64_t smmap_read(smmap_cursor *cursor, uint64_t offset, void *to, uint64_t size);

enum smmap_advice {
	SMMAP_ADVICE_NORMAL = 0, /* the library finds out by itself (default) */
	SMMAP_ADVICE_SEQUENTIAL = 1,
	SMMAP_ADVICE_RANDOM = 2,
	SMMAP_ADVICE_WILLNEED = 3
};

/*
 * Tells how the file will be read. Normal, sequential and random are about the whole file (offset and size are
 * not looked at) and last until the next advice; willneed asks for the range to be read ahead, at most one
 * window of it (`size` 0: to the end of the file). Errors: SMMAP_EINVAL, SMMAP_ECLOSED, those of the system.
 */
SMMAP_API int smmap_advise(smmap_cursor *cursor, int advice, uint64_t offset, uint64_t size);

/* ---- change ------------------------------------------------------------------------------------------- */

/* What smmap_verify and smmap_refresh found; bits. */
#define SMMAP_CHANGE_REPLACED 1 /* the name means another inode, or nothing, now */
#define SMMAP_CHANGE_GREW 2
#define SMMAP_CHANGE_SHRANK 4
#define SMMAP_CHANGE_MODIFIED 8 /* time of modification or of status change differs */
#define SMMAP_CHANGE_FAULTED 16 /* a mapped page could not be read since the last refresh */

/*
 * Compares the file that the cursor's name means now with what the library knows. Returns the bits above, 0 for
 * no change, and those that were noted before (smmap_options.change). Maps nothing, changes nothing. Errors: SMMAP_ECLOSED, those of stat(2) other than SMMAP_ENOENT.
 */
SMMAP_API int smmap_verify(smmap_cursor *cursor);

/*
 * Takes the change up: the cursor is bound to the file that its name means now, with the size it has now, and
 * the error of a faulted file is cleared. Where the cursor had to be bound anew (another inode, a smaller size, a
 * fault) its region is let go; a file that only grew keeps its addresses where possible. Others that hold the old
 * file keep it, unmoved. Returns the bits above. Errors: those of smmap_cursor_open; the cursor is unchanged then.
 */
SMMAP_API int smmap_refresh(smmap_cursor *cursor);

/*
 * The sticky error of the cursor's file: 0, or the code of the first page fault that failed. `offset`, when not
 * NULL, is set to the offset of that page in the file (only when the result is not 0). Stays until refresh.
 * A file whose fault could not be classified gives SMMAP_EFAULTED. Errors: SMMAP_ECLOSED.
 */
SMMAP_API int smmap_cursor_error(smmap_cursor *cursor, uint64_t *offset);

enum smmap_backing {
	SMMAP_BACKING_SHARED = 0,  /* a shared mapping of the file */
	SMMAP_BACKING_PRIVATE = 1, /* a private mapping: a shared one was refused */
	SMMAP_BACKING_MEMORY = 2   /* read into memory: the file cannot be mapped */
};

typedef struct smmap_file_status {
	uint64_t size;
	uint64_t device;
	uint64_t inode;
	int64_t mtime_ns;     /* nanoseconds since 1970 */
	int64_t ctime_ns;     /* nanoseconds since 1970 */
	uint64_t window_size; /* size of the file's regions: W, or the whole file */
	uint64_t regions;     /* mapped now */
	uint64_t generation;  /* 0, and one more for every refresh that had to bind anew */
	int placement;        /* enum smmap_placement, never auto */
	int backing;          /* enum smmap_backing */
	int open_flags;       /* the flags that the file was opened with */
	int stale;            /* 1 when a later generation of the file exists */
	int change;           /* SMMAP_CHANGE_... bits noted since the last refresh (smmap_options.change) */
	int reserved_int;
	uint64_t reserved[3];
} smmap_file_status;

/* Fills `status` with what the library knows of the cursor's file. Errors: SMMAP_ECLOSED. */
SMMAP_API int smmap_cursor_status(const smmap_cursor *cursor, smmap_file_status *status);

/*
 * Pages of the range that are in the page cache: fills `pages` (one byte for each page of the system, 1 or 0)
 * for the range [offset, offset + size), cut at the end of the file, and returns the number of entries filled,
 * at most `count`. Pages are counted from the page that holds `offset`. Maps the range apart from the budget and
 * unmaps it. Errors: SMMAP_ECLOSED, SMMAP_ENOTSUP (memory backing), SMMAP_ENOMEM.
 * The system answers truthfully only for files that the process owns or may write to.
 */
SMMAP_API int64_t smmap_cursor_residency(smmap_cursor *cursor, uint64_t offset, uint64_t size,
                                         unsigned char *pages, uint64_t count);

/* ---- regions ------------------------------------------------------------------------------------------ */

/*
 * A handle of one region: of a manager's file (smmap_cursor_region, smmap_region_list_get) or mapped by itself
 * (smmap_region_open). The struct is yours and begins as SMMAP_REGION_INIT. It keeps the file known, but is no
 * client of the region: the region may be evicted unless a client is added. One thread at a time.
 */
typedef struct smmap_region {
	/* The rest belongs to the library. */
	smmap_manager *manager;
	struct smmap__file *file;
	struct smmap__leaf *leaf;
	uint32_t slot;
	uint32_t taken;
	struct smmap__alone *alone;
	uint64_t reserved[4];
} smmap_region;

#define SMMAP_REGION_INIT                                                                                    \
	{                                                                                                        \
		0, 0, 0, 0, 0, 0,                                                                                    \
		{                                                                                                    \
			0                                                                                                \
		}                                                                                                    \
	}

/* The region that holds the cursor's first byte. `region` is let go first. Errors: SMMAP_ECLOSED (not valid). */
SMMAP_API int smmap_cursor_region(const smmap_cursor *cursor, smmap_region *region);

/*
 * Maps [offset, offset + size) of a file by itself, without a manager; `offset` must be a multiple of the
 * granularity; the range is cut at the end of the file; `flags` as in smmap_cursor_open. It has one client.
 * Errors: SMMAP_EINVAL (offset), SMMAP_ERANGE (at or past the end), those of open(2) and mmap(2).
 */
SMMAP_API int smmap_region_open(smmap_region *region, const char *path, uint64_t offset, uint64_t size,
                                int flags);
SMMAP_API int smmap_region_open_fd(smmap_region *region, int fd, uint64_t offset, uint64_t size);

/* Gives back all clients that were added through this handle and lets go. Closed handles are harmless. */
SMMAP_API void smmap_region_close(smmap_region *region);

/* Offset of the first byte, number of bytes, offset after the last; 0 when closed. */
SMMAP_API uint64_t smmap_region_ofs_begin(const smmap_region *region);
SMMAP_API uint64_t smmap_region_size(const smmap_region *region);
SMMAP_API uint64_t smmap_region_ofs_end(const smmap_region *region);
SMMAP_API int smmap_region_includes_ofs(const smmap_region *region, uint64_t offset);
SMMAP_API smmap_window smmap_window_from_region(const smmap_region *region);

/*
 * The first byte, when the region is mapped; else NULL. Add a client first, or hold a cursor there: without a
 * pin the pointer may be gone before it is used.
 */
SMMAP_API const unsigned char *smmap_region_data(const smmap_region *region);

/* Clients of the region: cursors and others that pin it, and the manager as one while it is mapped. */
SMMAP_API uint64_t smmap_region_client_count(const smmap_region *region);

/*
 * Adds (positive) or gives back (negative) clients. Only what was added through this handle can be given back.
 * Returns 1 when the region was released by it (the last client of a region mapped by itself), else 0.
 * Errors: SMMAP_EINVAL (more than was taken), SMMAP_ECLOSED (closed, or evicted meanwhile), SMMAP_EOVERFLOW.
 */
SMMAP_API int smmap_region_increment_client_count(smmap_region *region, int64_t by);

/* Unmaps a region mapped by itself, whatever its count; evicts a manager's region. SMMAP_EBUSY when pinned. */
SMMAP_API int smmap_region_release(smmap_region *region);

/* 1 when both handles mean the same region, else 0. */
SMMAP_API int smmap_region_equal(const smmap_region *a, const smmap_region *b);

/* A snapshot of the mapped regions of one file, in order of their offsets. */
typedef struct smmap_region_list smmap_region_list;

/* Takes the snapshot; yours to free. Errors: SMMAP_ECLOSED, SMMAP_ENOMEM. */
SMMAP_API int smmap_region_list_new(smmap_region_list **list, const smmap_cursor *cursor);
SMMAP_API void smmap_region_list_free(smmap_region_list *list);
SMMAP_API size_t smmap_region_list_count(const smmap_region_list *list);
SMMAP_API uint64_t smmap_region_list_file_size(const smmap_region_list *list);
/* Path or NULL, and descriptor or negative, as smmap_cursor_path and smmap_cursor_fd. Borrowed. */
SMMAP_API const char *smmap_region_list_path(const smmap_region_list *list);
SMMAP_API int smmap_region_list_fd(const smmap_region_list *list);
/* Sets `region`, a handle of its own, to entry `i`. Errors: SMMAP_ERANGE. */
SMMAP_API int smmap_region_list_get(const smmap_region_list *list, size_t i, smmap_region *region);

/* ---- buffers ------------------------------------------------------------------------------------------ */

/*
 * A range of a file that looks like one array. Indices are relative to the range; negative ones count from its
 * end. It keeps one window pinned and slides it by itself. The struct is yours and begins as SMMAP_BUFFER_INIT.
 * One thread at a time.
 */
typedef struct smmap_buffer {
	smmap_cursor cursor;
	uint64_t begin; /* offset of index 0 in the file */
	uint64_t size;  /* number of bytes; 0 when no access is under way */
	uint64_t reserved[4];
} smmap_buffer;

#define SMMAP_BUFFER_INIT                                                                                    \
	{                                                                                                        \
		SMMAP_CURSOR_INIT, 0, 0,                                                                             \
		{                                                                                                    \
			0                                                                                                \
		}                                                                                                    \
	}

#define SMMAP_TO_END UINT64_MAX /* as a size: up to the end of the file */

/*
 * Begins access to min(size, file_size - offset) bytes from `offset` on, of the file of `cursor` (copied; it may
 * be closed or moved afterwards), or of the buffer's own cursor when NULL. On success an access under way ends.
 * Errors: SMMAP_ERANGE (offset at or past the end, or size 0: there is nothing to access), SMMAP_ECLOSED (no
 * file), and those of smmap_cursor_use_region.
 */
SMMAP_API int smmap_buffer_begin_access(smmap_buffer *buffer, const smmap_cursor *cursor, uint64_t offset,
                                        uint64_t size);

/* Lets go of the window. Size is 0 afterwards; the cursor stays bound, so that access can begin again. */
SMMAP_API void smmap_buffer_end_access(smmap_buffer *buffer);

/* Ends access and closes the buffer's cursor. The buffer is as SMMAP_BUFFER_INIT afterwards. */
SMMAP_API void smmap_buffer_close(smmap_buffer *buffer);

/* The buffer's own cursor; borrowed. Moving it is allowed: the buffer moves it back as it needs. */
static inline smmap_cursor *smmap_buffer_cursor(smmap_buffer *buffer)
{
	return &buffer->cursor;
}

/* Number of bytes; 0 when no access is under way. */
static inline uint64_t smmap_buffer_size(const smmap_buffer *buffer)
{
	return buffer->size;
}

/* The slow half of smmap_buffer_get: moves the window. */
SMMAP_API int smmap__buffer_get_far(smmap_buffer *buffer, int64_t index);

/*
 * The byte at `index` (0 ... 255); negative indices count from the end. Errors: SMMAP_ERANGE (outside the
 * buffer), SMMAP_ECLOSED (no access under way), those of smmap_cursor_use_region.
 */
static inline int smmap_buffer_get(smmap_buffer *buffer, int64_t index)
{
	uint64_t offset = buffer->begin + (uint64_t)index;
	if (index >= 0 && (uint64_t)index < buffer->size && offset - buffer->cursor.offset < buffer->cursor.size)
		return buffer->cursor.data[(size_t)(offset - buffer->cursor.offset)];
	return smmap__buffer_get_far(buffer, index);
}

/*
 * Clips start and stop as Python does (negative: from the end; outside: moved to the nearest end) and returns the
 * number of bytes between them, 0 when stop is not after start. `first`, when not NULL, is set to the index of
 * the first byte.
 */
SMMAP_API uint64_t smmap_buffer_clip(const smmap_buffer *buffer, int64_t start, int64_t stop,
                                     uint64_t *first);

/*
 * Copies the bytes [start, stop), clipped as above, to `to`, which has room for `room` bytes. Returns the number
 * of bytes copied. Errors: SMMAP_ERANGE (more than `room`), SMMAP_ECLOSED, those of smmap_read: a slice is copied
 * whole or not at all (`to` may have been written to).
 */
SMMAP_API int64_t smmap_buffer_slice(smmap_buffer *buffer, int64_t start, int64_t stop, void *to,
                                     uint64_t room);

/* Bytes without a copy, valid until released, whatever cursors and buffers do meanwhile. Yours; init as below. */
typedef struct smmap_view {
	const unsigned char *data;
	uint64_t size;
	/* The rest belongs to the library. */
	smmap_manager *manager;
	struct smmap__file *file;
	struct smmap__leaf *pin_leaf[2];
	uint32_t pin_slot[2];
	unsigned char *mapped;
	uint64_t mapped_size;
	uint64_t exported;
	uint32_t guard;
	uint64_t reserved[4];
} smmap_view;

#define SMMAP_VIEW_INIT                                                                                      \
	{                                                                                                        \
		0, 0, 0, 0, {0, 0}, {0, 0}, 0, 0, 0, 0,                                                              \
		{                                                                                                    \
			0                                                                                                \
		}                                                                                                    \
	}

/*
 * Sets `view` to the bytes [start, stop), clipped as above, without a copy. Up to one window is pinned inside the
 * budget; a longer range is exported: counted in smmap_stats.exported_bytes, not in the budget.
 * Errors: SMMAP_ENOTSUP (longer than one window and read into memory, so nowhere contiguous), SMMAP_ECLOSED, those
 * of smmap_cursor_use_region. `view` must be released first.
 */
SMMAP_API int smmap_buffer_view(smmap_view *view, smmap_buffer *buffer, int64_t start, int64_t stop);

/* The same for the range that a cursor offers now. */
SMMAP_API int smmap_cursor_view(smmap_view *view, const smmap_cursor *cursor);

/*
 * Lays the bytes [offset, offset + size) of the cursor's file over a mapping of the caller's own at `address`, which
 * has room for `size` rounded up to the granularity and is replaced there: for programs whose memory must come from
 * elsewhere. Pinned or exported as above, and under the guard, until the view is released; the mapping is left to the
 * caller, who unmaps it after that. Where it failed the caller's mapping may have been replaced already.
 * Errors: SMMAP_ECLOSED (no file), SMMAP_EINVAL (offset or address not a multiple of the granularity), SMMAP_ERANGE
 * (not wholly within the file), SMMAP_ENOTSUP (read into memory), SMMAP_ESTALE (the file cannot be opened again), those
 * of mmap(2). `view` must be released first.
 */
SMMAP_API int smmap_cursor_map_at(smmap_view *view, const smmap_cursor *cursor, uint64_t offset,
                                  uint64_t size, void *address);

/* Lets go. A released view is harmless. */
SMMAP_API void smmap_view_release(smmap_view *view);

/* ---- guard -------------------------------------------------------------------------------------------- */

/*
 * Installs the handler for SIGBUS that keeps a failing page of a mapped file from killing the process: it puts a
 * page of zeros there, marks the file and lets the reader go on. Faults elsewhere go on to the handler that was
 * installed before. Counted: each enable needs its disable. One guard for the process, whatever the number of
 * managers. The memory of regions opened without a manager is guarded too. Errors: those of sigaction(2), mmap(2).
 */
SMMAP_API int smmap_guard_enable(void);

/*
 * Takes one enable back; the last puts the previous handler back in place where ours is still on top.
 * Errors: SMMAP_EINVAL when the guard is not enabled.
 */
SMMAP_API int smmap_guard_disable(void);

typedef struct smmap_guard_info {
	int enabled;     /* number of enables */
	int on_top;      /* 1 when ours is the handler that the system calls first */
	uint64_t faults; /* faults contained since the process began */
	uint64_t passed; /* signals handed on to the previous handler */
	uint64_t rearms; /* times a foreign handler had replaced ours and ours was put on top again */
	uint64_t ranges; /* mapped ranges under guard */
	uint64_t reserved[4];
} smmap_guard_info;

/* Fills `info`. Any thread. */
SMMAP_API void smmap_guard_status(smmap_guard_info *info);

#ifdef __cplusplus
}
#endif

#endif
