/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every public function that makes calls of the system, with its 1st, 2nd, 3rd ... such call failing, once and for ever:
 * it succeeds or says why not, nothing is lost, the books agree, and everything can be used afterwards.
 *
 * A mapping that the system does not take back when its file is freed is lost, and nobody can change that: failing
 * unmap is left to functions that free no file.
 */
#include "cursor/setup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 100000, WINDOW = 8192, NEW_SIZE = 120000, SMALLER = 90000 };

/* What an action finds. */
typedef struct scene {
	smmap_manager *manager;
	const char *path, *other;
	int fd;
	smmap_cursor cursor; /* of `path`, in use at 1000 */
	smmap_cursor fresh;  /* for the action */
	smmap_buffer buffer; /* of `path`, from 10 on */
	smmap_view view;
	smmap_region region; /* the one at 50000, not pinned */
	smmap_region alone;
	smmap_region_list *list;
	bool replaced;
	unsigned char room[SIZE];
} scene;

typedef struct action {
	const char *name;
	int64_t (*run)(scene *s);
	void (*prepare)(scene *s); /* or NULL */
	bool loses_mappings;       /* where unmap fails */
} action;

static void set_up(scene *s, int placement, uint64_t limit)
{
	*s = (scene){.fd = -1};
	s->path = files_make("a", SIZE, 1);
	s->other = files_make("b", SIZE, 2);
	s->fd = open(s->other, O_RDONLY | O_CLOEXEC);
	s->manager = new_manager(placement, WINDOW, limit);
	open_cursor(&s->cursor, s->manager, s->path);
	use_and_check(&s->cursor, 50000, 100, 100, 1);
	assert_int_equal(smmap_cursor_region(&s->cursor, &s->region), 0);
	use_and_check(&s->cursor, 20000, 100, 100, 1);
	use_and_check(&s->cursor, 1000, 100, 100, 1);
	assert_int_equal(smmap_buffer_begin_access(&s->buffer, &s->cursor, 10, SMMAP_TO_END), 0);
}

/* Whatever has failed: this works. */
static void check_scene(scene *s)
{
	smmap__manager_check(s->manager);
	if (smmap_cursor_is_valid(&s->cursor))
		files_assert(smmap_cursor_data(&s->cursor), smmap_cursor_ofs_begin(&s->cursor),
		             (size_t)smmap_cursor_size(&s->cursor), 1);
	if (s->view.data != NULL)
		files_assert(s->view.data, 10, (size_t)s->view.size, 1);
	smmap_cursor cursor = SMMAP_CURSOR_INIT;
	assert_int_equal(smmap_cursor_assign(&cursor, &s->cursor), 0);
	/* A file that was replaced is lost with its last descriptor. */
	if (s->replaced && smmap_cursor_use_region(&cursor, 30000, 0) == SMMAP_ESTALE)
		assert_int_equal(smmap_refresh(&cursor), SMMAP_CHANGE_REPLACED);
	uint64_t seed = smmap_cursor_file_size(&cursor) == SMALLER ? 3 : 1;
	uint64_t size = smmap__min(smmap_cursor_file_size(&cursor), SIZE);
	for (uint64_t at = 0; at < size; at += 15000)
		use_and_check(&cursor, at, 0, smmap__min(WINDOW, size - at), seed);
	assert_int_equal(smmap_read(&cursor, 0, s->room, SIZE), size);
	files_assert(s->room, 0, (size_t)size, seed);
	smmap_cursor_close(&cursor);
	/* The buffer holds the old file, which may be gone. */
	int64_t n = smmap_buffer_slice(&s->buffer, 0, 20000, s->room, SIZE);
	if (n != SMMAP_ESTALE || !s->replaced) {
		assert_int_equal(n, 20000);
		files_assert(s->room, 10, 20000, 1);
	}
	smmap__manager_check(s->manager);
}

static void tear_down(scene *s)
{
	smmap_cursor_close(&s->cursor);
	smmap_cursor_close(&s->fresh);
	smmap_buffer_close(&s->buffer);
	smmap_view_release(&s->view);
	smmap_region_close(&s->region);
	smmap_region_close(&s->alone);
	smmap_region_list_free(s->list);
	free_manager(s->manager);
	close(s->fd);
}

/* ---- actions ---- */

static int64_t open_path(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, s->other, 0);
}

static int64_t open_known(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, s->path, 0);
}

static int64_t open_descriptor(scene *s)
{
	return smmap_cursor_open_fd(&s->fresh, s->manager, s->fd);
}

static int64_t open_kernel_file(scene *s)
{
	return smmap_cursor_open(&s->fresh, s->manager, "/proc/version", 0);
}

static int64_t open_and_use(scene *s)
{
	int code = smmap_cursor_open(&s->fresh, s->manager, s->other, 0);
	return code < 0 ? code : smmap_cursor_use_region(&s->fresh, 8000, 0);
}

static int64_t open_another_kernel_file_and_use(scene *s)
{
	int code = smmap_cursor_open(&s->fresh, s->manager, "/proc/filesystems", 0);
	return code < 0 ? code : smmap_cursor_use_region(&s->fresh, 0, 0);
}

static int64_t use_mapped(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, 20000, 50);
}

static int64_t use_cold(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, 70000, 50);
}

static int64_t use_over_a_border(scene *s)
{
	return smmap_cursor_use_region(&s->cursor, 8 * WINDOW - 50, 100);
}

static int64_t read_all(scene *s)
{
	return smmap_read(&s->cursor, 0, s->room, SIZE);
}

static int64_t read_often(scene *s)
{
	int64_t n = 0;
	for (int i = 0; i < 30 && n >= 0; i++)
		n = smmap_read(&s->cursor, 30000, s->room, 100);
	return n;
}

static int64_t assign(scene *s)
{
	return smmap_cursor_assign(&s->fresh, &s->cursor);
}

static int64_t begin_access(scene *s)
{
	return smmap_buffer_begin_access(&s->buffer, &s->cursor, 10, SMMAP_TO_END);
}

static int64_t get_far(scene *s)
{
	return smmap_buffer_get(&s->buffer, 60000);
}

static int64_t slice(scene *s)
{
	return smmap_buffer_slice(&s->buffer, 0, SIZE - 10, s->room, SIZE);
}

static int64_t view_short(scene *s)
{
	return smmap_buffer_view(&s->view, &s->buffer, 0, 5000);
}

static int64_t view_long(scene *s)
{
	return smmap_buffer_view(&s->view, &s->buffer, 0, INT64_MAX);
}

static int64_t new_list(scene *s)
{
	return smmap_region_list_new(&s->list, &s->cursor);
}

static int64_t region_alone(scene *s)
{
	return smmap_region_open(&s->alone, s->path, 4096, 5000, 0);
}

static int64_t region_alone_of_descriptor(scene *s)
{
	return smmap_region_open_fd(&s->alone, s->fd, 4096, 5000);
}

static int64_t region_release(scene *s)
{
	return smmap_region_release(&s->region);
}

static void grow(scene *s)
{
	files_write(s->path, SIZE, NEW_SIZE - SIZE, 1);
}

static void replace(scene *s)
{
	assert_int_equal(rename(files_make("new", SMALLER, 3), s->path), 0);
	s->replaced = true;
}

static int64_t refresh(scene *s)
{
	return smmap_refresh(&s->cursor);
}

static int64_t verify(scene *s)
{
	return smmap_verify(&s->cursor);
}

static int64_t advise_random(scene *s)
{
	return smmap_advise(&s->cursor, SMMAP_ADVICE_RANDOM, 0, 0);
}

static int64_t advise_willneed(scene *s)
{
	return smmap_advise(&s->cursor, SMMAP_ADVICE_WILLNEED, 40000, 0);
}

static int64_t residency(scene *s)
{
	return smmap_cursor_residency(&s->cursor, 1000, SIZE, s->room, SIZE);
}

static int64_t collect(scene *s)
{
	return (int64_t)smmap_manager_collect(s->manager);
}

static int64_t make_room(scene *s)
{
	return (int64_t)smmap_manager_make_room(s->manager, UINT64_MAX);
}

static int64_t release_path(scene *s)
{
	return smmap_manager_release_path(s->manager, s->path, NULL);
}

static int64_t lower_limits(scene *s)
{
	int code = smmap_manager_set_limits(s->manager, 1, 1);
	(void)smmap_manager_set_limits(s->manager, MIB, 0);
	return code;
}

static const action actions[] = {
	{"open", open_path, NULL, true},
	{"open what is known", open_known, NULL, true},
	{"open a descriptor", open_descriptor, NULL, true},
	{"open a file of the kernel", open_kernel_file, NULL, true},
	{"open and use", open_and_use, NULL, true},
	{"open and use a file of the kernel", open_another_kernel_file_and_use, NULL, true},
	{"use what is mapped", use_mapped, NULL, false},
	{"use what is not", use_cold, NULL, false},
	{"use over a border", use_over_a_border, NULL, false},
	{"read all", read_all, NULL, false},
	{"read often", read_often, NULL, false},
	{"assign", assign, NULL, false},
	{"begin access", begin_access, NULL, false},
	{"get", get_far, NULL, false},
	{"slice", slice, NULL, false},
	{"view", view_short, NULL, false},
	{"view of more than a window", view_long, NULL, false},
	{"list", new_list, NULL, false},
	{"region alone", region_alone, NULL, true},
	{"region alone of a descriptor", region_alone_of_descriptor, NULL, true},
	{"release a region", region_release, NULL, false},
	{"refresh", refresh, NULL, true},
	{"refresh what grew", refresh, grow, true},
	{"refresh what was replaced", refresh, replace, true},
	{"verify", verify, NULL, false},
	{"advise random", advise_random, NULL, false},
	{"advise willneed", advise_willneed, NULL, false},
	{"residency", residency, NULL, true},
	{"collect", collect, NULL, false},
	{"make room", make_room, NULL, false},
	{"release path", release_path, NULL, false},
	{"limits", lower_limits, NULL, false},
};

/* ---- the sweep ---- */

static bool is_one_of_ours(int64_t code)
{
	/* A refused unmap or zap leaves the region in use, as it were. */
	return code == SMMAP_EBUSY || code == SMMAP_ESTALE || code == SMMAP_ENOMEM || code == SMMAP_ENOTSUP;
}

/* One round; false when there was nothing left to fail. */
static bool fail_one(const action *a, int placement, uint64_t limit, unsigned kinds, uint64_t nth, int code,
                     bool sticky)
{
	static scene s;
	books_figures books = books_now();
	printf("%s, call %d of %x: %s%s\n", a->name, (int)nth, kinds, smmap_err_name(code),
	       sticky ? " for ever" : "");
	set_up(&s, placement, limit);
	if (a->prepare != NULL)
		a->prepare(&s);
	inject_arm(kinds, nth, code, sticky);
	int64_t result = a->run(&s);
	inject_disarm();
	bool fired = inject_fired();
	if (result < 0 && (!fired || (result != code && !is_one_of_ours(result))))
		fail_msg("%s: %s after %s", a->name, smmap_err_name((int)result), smmap_err_name(code));
	check_scene(&s);
	tear_down(&s);
	books_assert_same(&books);
	return fired;
}

static void sweep(int placement, uint64_t limit)
{
	static const int codes[] = {SMMAP_ENOMEM, SMMAP_EMFILE, SMMAP_EIO, SMMAP_EAGAIN, SMMAP_ENODEV};
	const unsigned no_unmap = INJECT_ANY & ~(unsigned)INJECT_UNMAP;
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		for (size_t k = 0; k < sizeof codes / sizeof *codes; k++)
			for (int sticky = 0; sticky < 2; sticky++) {
				for (uint64_t nth = 1;
				     fail_one(&actions[i], placement, limit, no_unmap, nth, codes[k], sticky);)
					nth++;
				if (actions[i].loses_mappings)
					continue;
				for (uint64_t nth = 1; fail_one(&actions[i], placement, limit, INJECT_UNMAP | INJECT_ADVISE,
				                                nth, codes[k], sticky);)
					nth++;
			}
}

static void stable_with_room(void)
{
	sweep(SMMAP_PLACEMENT_STABLE, MIB);
}

static void stable_without_room(void)
{
	sweep(SMMAP_PLACEMENT_STABLE, 2 * WINDOW);
}

static void detached_with_room(void)
{
	sweep(SMMAP_PLACEMENT_DETACHED, MIB);
}

static void detached_without_room(void)
{
	sweep(SMMAP_PLACEMENT_DETACHED, 2 * WINDOW);
}

static void new_managers(void)
{
	for (int sticky = 0; sticky < 2; sticky++)
		INJECT_EACH(INJECT_ANY, SMMAP_ENOMEM, sticky)
		{
			smmap_manager *manager = NULL;
			books_figures books = books_now();
			int code = smmap_manager_new(&manager, NULL);
			inject_disarm();
			if (code != 0) {
				assert_true(inject_fired());
				assert_int_equal(code, SMMAP_ENOMEM);
				assert_null(manager);
			} else {
				free_manager(manager);
			}
			books_assert_same(&books);
		}
}

/* What the system did not take back can be given back later. */
static void freeing_a_manager_can_be_tried_again(void)
{
	for (int i = 0; i < PLACEMENTS; i++) {
		static scene s;
		set_up(&s, placements[i], MIB);
		smmap_cursor_close(&s.cursor);
		smmap_buffer_close(&s.buffer);
		smmap_region_close(&s.region);
		inject_arm(INJECT_UNMAP | INJECT_ADVISE, 1, SMMAP_ENOMEM, true);
		assert_int_equal(smmap_manager_free(s.manager), SMMAP_EBUSY);
		inject_disarm();
		smmap__manager_check(s.manager);
		assert_true(smmap_manager_num_file_handles(s.manager) != 0);
		free_manager(s.manager);
		close(s.fd);
	}
}

TEST_PROGRAM(TEST(stable_with_room, .seconds = 120), TEST(stable_without_room, .seconds = 120),
             TEST(detached_with_room, .seconds = 120), TEST(detached_without_room, .seconds = 120),
             TEST(new_managers), TEST(freeing_a_manager_can_be_tried_again))
