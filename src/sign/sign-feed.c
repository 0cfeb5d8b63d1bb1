#include "sign-feed.h"

bool ash_sign_feed_read(void *context, void *buffer, size_t len, size_t *ret_read) {
        AshSignFeed *f = context;
        size_t done = 0;
        while (done < len && f->at < f->n) {
                AshSlice piece = ash_slice_from(f->data[f->at], f->offset);
                size_t n = ASH_MIN(len - done, piece.len);
                if (n)
                        memcpy((char *) buffer + done, piece.ptr, n);
                done += n;
                f->offset += n;
                if (n == piece.len) {
                        f->at++;
                        f->offset = 0;
                }
        }
        *ret_read = done;
        return true;
}
