/* How much memory there is for us: the machine's, and what the control groups that we are in leave of it (kernel: admin-guide/cgroup-v2, "Memory"). */
#include <stdio.h>
#include "io.h"

/* "Name:   123 kB" of /proc/meminfo, "name 123" of a group's memory.stat; 0: not there. */
static uint64_t value_of(AshSlice text, const char *name) {
        AshSlice line, word;
        uint64_t n = 0;
        while (ash_slice_next_line(&text, &line))
                if (ash_slice_next_word(&line, &word) && ash_slice_eqs(word, name) && ash_slice_next_word(&line, &word) && ash_slice_to_u64(word, 10, &n) >= 0)
                        return n;
        return 0;
}

static bool read_number(const char *dir, const char *name, uint64_t *ret) {
        _bytes_ AshBytes text = {};
        _free_ char *path = ash_path_join(dir, name);
        return ash_file_read(AT_FDCWD, path, 4096, &text) >= 0 && ash_slice_to_u64(ash_slice_trim(ash_bytes_slice(&text)), 10, ret) >= 0; /* "max": no number, no limit */
}

bool ash_memory_of_group(const char *dir, uint64_t *ret_most, uint64_t *ret_left) {
        _bytes_ AshBytes stat = {};
        _free_ char *path = ash_path_join(dir, "memory.stat");
        uint64_t most, now;
        if (!read_number(dir, "memory.max", &most) || !read_number(dir, "memory.current", &now))
                return false;
        (void) ash_file_read(AT_FDCWD, path, 1 << 20, &stat);
        uint64_t files = value_of(ash_bytes_slice(&stat), "inactive_file") + value_of(ash_bytes_slice(&stat), "active_file"); /* the kernel takes these back */
        now -= ASH_MIN(now, files);
        *ret_most = most;
        *ret_left = most - ASH_MIN(most, now);
        return true;
}

typedef struct Memory {
        uint64_t most, left;
} Memory;

static void apply_group(AshSlice group, Memory *m) {
        _free_ char *dir = ash_asprintf("/sys/fs/cgroup%.*s", ASH_F(group));
        Memory of = {};
        if (!ash_memory_of_group(dir, &of.most, &of.left))
                return;
        m->most = ASH_MIN(m->most, of.most);
        m->left = ASH_MIN(m->left, of.left);
}

/* Every group above may have a limit of its own; "/" as well, which in a container is that container's group. */
static void apply_groups(Memory *m) {
        _bytes_ AshBytes text = {};
        AshSlice rest, line;
        if (ash_file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text) < 0)
                return;
        rest = ash_bytes_slice(&text);
        while (ash_slice_next_line(&rest, &line)) {
                if (!ash_slice_starts(line, ASH_S("0::/")))
                        continue;
                AshSlice group = ash_slice_from(line, 3);
                apply_group(group, m);
                for (; group.len > 1; group = ash_path_dir(group))
                        apply_group(ash_path_dir(group), m);
        }
}

static Memory memory(void) {
        _bytes_ AshBytes b = {};
        Memory m = { UINT64_MAX, UINT64_MAX };
        if (ash_file_read(AT_FDCWD, "/proc/meminfo", 1 << 16, &b) < 0)
                return m;
        uint64_t most = value_of(ash_bytes_slice(&b), "MemTotal:"), left = value_of(ash_bytes_slice(&b), "MemAvailable:");
        if (!most || !left)
                return m;
        m = (Memory){ most << 10, left << 10 };
        apply_groups(&m);
        return m;
}

uint64_t ash_memory_available(void) { return memory().left; }
uint64_t ash_memory_total(void) { return memory().most; }
