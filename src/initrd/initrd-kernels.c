/* Which kernels there are, and which is the newest. */
#include <ctype.h>
#include <sys/stat.h>
#include "initrd.h"

/* Version Format Specification of the UAPI group, by which systemd-boot sorts its menu: runs of digits as numbers, runs of letters by bytes, '~' before the end, then '-', '^', '.'. */
static int rank(AshSlice s) {
        static const char order[] = "-^.";
        if (!s.len)
                return 1;
        if (s.ptr[0] == '~')
                return 0;
        const char *at = strchr(order, s.ptr[0]);
        return at ? 2 + (int) (at - order) : 8;
}
static bool is_part(char c) { return isascii((unsigned char) c) && (isalnum((unsigned char) c) || strchr("~-^.", c)) && c; }
static AshSlice take_run(AshSlice *s, bool digits) {
        size_t n = 0;
        while (n < s->len && (digits ? isdigit((unsigned char) s->ptr[n]) : isalpha((unsigned char) s->ptr[n])) && isascii((unsigned char) s->ptr[n]))
                n++;
        AshSlice run = ash_slice(s->ptr, n);
        *s = ash_slice_from(*s, n);
        return run;
}
static int compare_numbers(AshSlice a, AshSlice b) {
        while (a.len && a.ptr[0] == '0')
                a = ash_slice_from(a, 1);
        while (b.len && b.ptr[0] == '0')
                b = ash_slice_from(b, 1);
        return a.len != b.len ? (a.len < b.len ? -1 : 1) : ash_slice_cmp(a, b);
}

int ash_initrd_compare_versions(AshSlice a, AshSlice b) {
        for (;;) {
                while (a.len && !is_part(a.ptr[0]))
                        a = ash_slice_from(a, 1);
                while (b.len && !is_part(b.ptr[0]))
                        b = ash_slice_from(b, 1);
                int x = rank(a), y = rank(b);
                if (x != y)
                        return x < y ? -1 : 1;
                if (x == 1)
                        return 0;
                if (x != 8) { /* the same separator */
                        a = ash_slice_from(a, 1);
                        b = ash_slice_from(b, 1);
                        continue;
                }
                bool digits = isdigit((unsigned char) a.ptr[0]), other = isdigit((unsigned char) b.ptr[0]);
                if (digits != other) /* a number is newer than a word */
                        return digits ? 1 : -1;
                AshSlice p = take_run(&a, digits), q = take_run(&b, digits);
                int r = digits ? compare_numbers(p, q) : ash_slice_cmp(p, q);
                if (r)
                        return r < 0 ? -1 : 1;
        }
}

static int newest_first(const void *a, const void *b) { return ash_initrd_compare_versions(*(const AshSlice *) b, *(const AshSlice *) a); }

size_t ash_initrd_kernels(const AshTree *tree, AshArena *arena, AshSlice **ret) {
        AshNode dir = ash_tree_lookup(tree, ASH_S("/usr/lib/modules"), true);
        size_t n = 0, n_children = dir == ASH_NO_NODE ? 0 : ash_tree_node(tree, dir)->n_children;
        AshSlice *found = ash_arena_new_items(arena, AshSlice, n_children + 1);
        for (size_t i = 0; i < n_children; i++) {
                AshNode child = ash_tree_node(tree, dir)->children[i];
                if (S_ISDIR(ash_tree_node(tree, child)->mode) && ash_tree_child(tree, child, ASH_S("kernel")) != ASH_NO_NODE)
                        found[n++] = ash_tree_node(tree, child)->name;
        }
        if (n)
                qsort(found, n, sizeof *found, newest_first);
        *ret = found;
        return n;
}
