#include "textdiff.h"

#define COST_MAX 3000 /* edits that one search for a middle may try before it settles for the farthest point reached */

typedef struct Work {
        const uint32_t *a, *b;         /* lines as numbers: equal lines, equal numbers */
        ptrdiff_t *forward, *backward; /* farthest x by diagonal; both point at diagonal 0 */
        bool *gone, *came;             /* per line of a: not in b; per line of b: not in a */
} Work;
typedef struct Box {
        ptrdiff_t a0, a1, b0, b1;
} Box;

static void mark(Work *w, Box box) {
        for (ptrdiff_t i = box.a0; i < box.a1; i++)
                w->gone[i] = true;
        for (ptrdiff_t i = box.b0; i < box.b1; i++)
                w->came[i] = true;
}

/* One step of the search from the upper left: true when it met the one from the lower right; the meeting point is then in x, y. */
static bool step_forward(Work *w, Box box, ptrdiff_t cost, ptrdiff_t delta, ptrdiff_t *x, ptrdiff_t *y) {
        ptrdiff_t n = box.a1 - box.a0, m = box.b1 - box.b0, *v = w->forward;
        for (ptrdiff_t k = -cost; k <= cost; k += 2) {
                if (k < -m || k > n)
                        continue;
                ptrdiff_t i = k == -cost || (k != cost && v[k - 1] < v[k + 1]) ? v[k + 1] : v[k - 1] + 1;
                ptrdiff_t j = i - k;
                while (i < n && j < m && i >= 0 && j >= 0 && w->a[box.a0 + i] == w->b[box.b0 + j])
                        i++, j++;
                v[k] = i;
                bool odd = delta & 1, overlaps = odd && k >= delta - (cost - 1) && k <= delta + (cost - 1);
                if (overlaps && i <= n && j <= m && i >= w->backward[k - delta]) {
                        *x = i;
                        *y = j;
                        return true;
                }
        }
        return false;
}

static bool step_backward(Work *w, Box box, ptrdiff_t cost, ptrdiff_t delta, ptrdiff_t *x, ptrdiff_t *y) {
        ptrdiff_t n = box.a1 - box.a0, m = box.b1 - box.b0, *v = w->backward;
        for (ptrdiff_t k = -cost; k <= cost; k += 2) {
                ptrdiff_t diagonal = k + delta; /* of the forward search */
                if (diagonal < -m || diagonal > n)
                        continue;
                ptrdiff_t i = k == cost || (k != -cost && v[k - 1] < v[k + 1]) ? v[k - 1] : v[k + 1] - 1;
                ptrdiff_t j = i - diagonal;
                while (i > 0 && j > 0 && i <= n && j <= m && w->a[box.a0 + i - 1] == w->b[box.b0 + j - 1])
                        i--, j--;
                v[k] = i;
                bool even = !(delta & 1), overlaps = even && diagonal >= -cost && diagonal <= cost;
                if (overlaps && i >= 0 && j >= 0 && i <= w->forward[diagonal]) {
                        *x = i;
                        *y = j;
                        return true;
                }
        }
        return false;
}

/* The farthest point that the forward search has reached within the box. */
static void farthest(const Work *w, Box box, ptrdiff_t cost, ptrdiff_t *x, ptrdiff_t *y) {
        ptrdiff_t n = box.a1 - box.a0, m = box.b1 - box.b0, best = -1;
        for (ptrdiff_t k = -cost; k <= cost; k += 2) {
                if (k < -m || k > n)
                        continue;
                ptrdiff_t i = ASH_MIN(w->forward[k], n), j = i - k;
                if (j < 0 || j > m || i < 0 || i + j <= best)
                        continue;
                best = i + j;
                *x = i;
                *y = j;
        }
}

/* A point on a (nearly) shortest path through the box. */
static void middle(Work *w, Box box, ptrdiff_t *x, ptrdiff_t *y) {
        ptrdiff_t n = box.a1 - box.a0, m = box.b1 - box.b0, delta = n - m, most = (n + m + 1) / 2;
        w->forward[1] = 0;
        w->forward[0] = 0;
        w->backward[-1] = n;
        w->backward[0] = n;
        for (ptrdiff_t cost = 0; cost <= most; cost++) {
                /* diagonals that come into reach have no value yet: they start outside */
                w->forward[-cost - 1] = w->forward[cost + 1] = cost ? -1 : 0;
                w->backward[-cost - 1] = w->backward[cost + 1] = cost ? n + 1 : n;
                if (step_forward(w, box, cost, delta, x, y) || step_backward(w, box, cost, delta, x, y))
                        return;
                if (cost >= COST_MAX) {
                        farthest(w, box, cost, x, y);
                        return;
                }
        }
        *x = n; /* not reached */
        *y = m;
}

static void compare(Work *w, Box box) {
        for (;;) {
                while (box.a0 < box.a1 && box.b0 < box.b1 && w->a[box.a0] == w->b[box.b0])
                        box.a0++, box.b0++;
                while (box.a0 < box.a1 && box.b0 < box.b1 && w->a[box.a1 - 1] == w->b[box.b1 - 1])
                        box.a1--, box.b1--;
                if (box.a0 == box.a1 || box.b0 == box.b1) {
                        mark(w, box);
                        return;
                }
                ptrdiff_t x = 0, y = 0;
                middle(w, box, &x, &y);
                Box first = { box.a0, box.a0 + x, box.b0, box.b0 + y }, second = { box.a0 + x, box.a1, box.b0 + y, box.b1 };
                bool first_all = first.a1 == box.a1 && first.b1 == box.b1, second_all = second.a0 == box.a0 && second.b0 == box.b0;
                if (first_all || second_all) { /* no progress: a single edit remains, or nothing is shared */
                        mark(w, box);
                        return;
                }
                compare(w, first);
                box = second;
        }
}

static void split_lines(AshSlice text, AshTextDiff *diff, bool second) {
        while (text.len) {
                ptrdiff_t end = ash_slice_find_char(text, '\n');
                size_t n = end < 0 ? text.len : (size_t) end + 1;
                if (second)
                        ash_array_push(&diff->b, ash_slice(text.ptr, n));
                else
                        ash_array_push(&diff->a, ash_slice(text.ptr, n));
                text = ash_slice_from(text, n);
        }
}

static uint32_t number_of(AshMap *map, AshSlice line) {
        bool is_new;
        AshMapEntry *e = ash_map_ensure(map, line, &is_new);
        return (uint32_t) (e - map->entries);
}

static void collect(const Work *w, AshTextDiff *diff) {
        size_t i = 0, j = 0;
        while (i < diff->a.n || j < diff->b.n) {
                AshChange c = { i, 0, j, 0 };
                while (i < diff->a.n && w->gone[i])
                        i++;
                while (j < diff->b.n && w->came[j])
                        j++;
                c.n_a = i - c.a;
                c.n_b = j - c.b;
                if (c.n_a || c.n_b)
                        ash_array_push(&diff->changes, c);
                else
                        i++, j++;
        }
}

void ash_textdiff(AshSlice a, AshSlice b, AshTextDiff *ret) {
        *ret = (AshTextDiff){};
        split_lines(a, ret, false);
        split_lines(b, ret, true);
        size_t n = ret->a.n, m = ret->b.n, span = 2 * (n + m) + 6;
        _map_ AshMap map = {};
        _free_ uint32_t *na = ash_calloc(n + 1, sizeof *na), *nb = ash_calloc(m + 1, sizeof *nb);
        _free_ ptrdiff_t *v = ash_calloc(2 * span, sizeof *v);
        _free_ bool *gone = ash_calloc(n + 1, 1), *came = ash_calloc(m + 1, 1);
        for (size_t i = 0; i < n; i++)
                na[i] = number_of(&map, ret->a.items[i]);
        for (size_t i = 0; i < m; i++)
                nb[i] = number_of(&map, ret->b.items[i]);
        Work w = { na, nb, v + span / 2, v + span + span / 2, gone, came };
        compare(&w, (Box){ 0, (ptrdiff_t) n, 0, (ptrdiff_t) m });
        collect(&w, ret);
}

void ash_textdiff_done(AshTextDiff *d) {
        ash_array_done(&d->a);
        ash_array_done(&d->b);
        ash_array_done(&d->changes);
}

void ash_textdiff_hunks(const AshTextDiff *d, size_t context, AshHunks *ret) {
        *ret = (AshHunks){};
        for (size_t i = 0; i < d->changes.n;) {
                const AshChange *first = &d->changes.items[i], *last = first;
                size_t k = i + 1;
                while (k < d->changes.n && d->changes.items[k].a - (last->a + last->n_a) <= 2 * context)
                        last = &d->changes.items[k++];
                size_t before = ASH_MIN(context, first->a), end_a = ASH_MIN(last->a + last->n_a + context, d->a.n);
                size_t after = end_a - (last->a + last->n_a);
                AshHunk h = { first->a - before, 0, first->b - before, 0, i, k - i };
                h.n_a = end_a - h.a;
                h.n_b = last->b + last->n_b + after - h.b;
                ash_array_push(&ret->items, h);
                i = k;
        }
}

void ash_hunks_done(AshHunks *h) { ash_array_done(&h->items); }

static void range(AshStr *out, char sign, size_t start, size_t n) {
        ash_str_appendf(out, "%c%zu", sign, n ? start + 1 : start);
        if (n != 1)
                ash_str_appendf(out, ",%zu", n);
}

void ash_hunk_header(const AshHunk *h, AshStr *out) {
        ash_str_append_str(out, "@@ ");
        range(out, '-', h->a, h->n_a);
        ash_str_append_char(out, ' ');
        range(out, '+', h->b, h->n_b);
        ash_str_append_str(out, " @@");
}

static void line(AshStr *out, char sign, AshSlice s, const char *tint) {
        bool ended = s.len && s.ptr[s.len - 1] == '\n';
        if (ended)
                s.len--;
        ash_str_appendf(out, "%s%c", tint, sign);
        ash_str_append(out, s);
        ash_str_append_str(out, *tint ? "\033[0m\n" : "\n");
        if (!ended)
                ash_str_append_str(out, "\\ No newline at end of file\n");
}

void ash_hunk_format(const AshTextDiff *d, const AshHunk *h, bool color, AshStr *out) {
        size_t at = h->a;
        for (size_t k = h->change; k < h->change + h->n_changes; k++) {
                const AshChange *c = &d->changes.items[k];
                for (; at < c->a; at++)
                        line(out, ' ', d->a.items[at], "");
                for (; at < c->a + c->n_a; at++)
                        line(out, '-', d->a.items[at], color ? "\033[31m" : "");
                for (size_t i = c->b; i < c->b + c->n_b; i++)
                        line(out, '+', d->b.items[i], color ? "\033[32m" : "");
        }
        for (; at < h->a + h->n_a; at++)
                line(out, ' ', d->a.items[at], "");
}

void ash_textdiff_unified(AshSlice a, AshSlice b, const char *from, const char *to, bool color, AshStr *out) {
        _textdiff_ AshTextDiff d = {};
        _hunks_ AshHunks hunks = {};
        ash_textdiff(a, b, &d);
        ash_textdiff_hunks(&d, 3, &hunks);
        if (hunks.items.n)
                ash_str_appendf(out, "%s--- %s\n+++ %s%s\n", color ? "\033[1m" : "", from, to, color ? "\033[0m" : "");
        ash_array_foreach(&hunks.items, h) {
                ash_str_append_str(out, color ? "\033[36m" : "");
                ash_hunk_header(h, out);
                ash_str_append_str(out, color ? "\033[0m\n" : "\n");
                ash_hunk_format(&d, h, color, out);
        }
}
