/* What a build of an image follows from, as one digest, without composing it: the definition with all that it inherits and the files that it names, the distribution's identity, the lock, the key that
 * it holds, and this very program. Where the digest is that of the last build, so is the image. */
#include "flow-image.h"

/* Of a program that is still being written the version says too little. */
static int add_program(AshStr *text) {
        struct stat st;
        if (stat("/proc/self/exe", &st) < 0)
                return -errno;
        ash_str_appendf(text, "program %s %llu %lld %lld\n", ASHLAR_VERSION, (unsigned long long) st.st_size, (long long) st.st_mtim.tv_sec, (long long) st.st_mtim.tv_nsec);
        return 0;
}

static int add_file(AshStr *text, const char *path) {
        _bytes_ AshBytes bytes = {};
        char hex[ASH_HEX_MAX];
        int r = ash_file_map(AT_FDCWD, path, &bytes);
        if (r < 0)
                return r;
        ash_digest_hex_of(ASH_SHA256, ash_bytes_slice(&bytes), hex);
        ash_str_appendf(text, "file %s %s\n", path, hex);
        return 0;
}

int ash_flow_image_inputs(AshFlow *flow, const AshImage *image, const char *lock_path, AshStr *text) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        int r = add_program(text);
        if (r >= 0)
                r = add_file(text, lock_path);
        ash_config_image_text(flow->config, image, text);
        for (size_t i = 0; r >= 0 && i < image->files.n; i++) {
                const AshImageFile *f = &image->files.items[i];
                AshSlice key;
                if (f->source.s.len)
                        r = add_file(text, ash_arena_strndup(arena, f->source.s.ptr, f->source.s.len));
                if (r >= 0 && f->signing_key.value == ASH_YES && (r = flow->signing_key(flow->context, arena, &key)) >= 0)
                        ash_str_append(text, key);
        }
        return r;
}
