#include "sign-packet.h"

typedef struct Cursor {
        const uint8_t *p;
        size_t left;
        bool bad;
} Cursor;

static uint32_t take(Cursor *c, unsigned bytes) {
        uint32_t v = 0;
        if (c->bad || c->left < bytes) {
                c->bad = true;
                return 0;
        }
        for (unsigned i = 0; i < bytes; i++)
                v = v << 8 | c->p[i];
        c->p += bytes;
        c->left -= bytes;
        return v;
}

static Cursor take_part(Cursor *c, size_t n) {
        Cursor part = { c->p, n, c->bad || n > c->left };
        if (part.bad) {
                c->bad = true;
                return (Cursor){ NULL, 0, true };
        }
        c->p += n;
        c->left -= n;
        return part;
}

/* Lengths of new-format packets and of subpackets; partial lengths have no place in a signature. */
static size_t take_length(Cursor *c, bool subpacket) {
        uint32_t first = take(c, 1);
        if (first < 192)
                return first;
        if (first < (subpacket ? 255u : 224u))
                return ((first - 192) << 8) + take(c, 1) + 192;
        if (first == 255)
                return take(c, 4);
        c->bad = true;
        return 0;
}

static void read_subpackets(Cursor area, AshSigPacket *s) {
        while (area.left && !area.bad) {
                size_t n = take_length(&area, true);
                Cursor body = take_part(&area, n);
                uint32_t type = take(&body, 1) & 0x7f; /* the top bit says "critical" */
                if (body.bad)
                        return;
                if (type == 2 && body.left == 4) {
                        s->created = take(&body, 4);
                } else if (type == 16 && body.left == 8) {
                        memcpy(s->key_id, body.p, 8);
                        s->has_key_id = true;
                } else if (type == 33 && body.left == 21 && body.p[0] == 4 && !s->has_key_id) { /* a version 4 fingerprint ends with the key id */
                        memcpy(s->key_id, body.p + 13, 8);
                        s->has_key_id = true;
                }
        }
}

static void read_version_3(Cursor *c, AshSigPacket *s) {
        if (take(c, 1) != 5) /* bytes that are hashed */
                c->bad = true;
        take(c, 1);
        s->created = take(c, 4);
        Cursor id = take_part(c, 8);
        if (!id.bad)
                memcpy(s->key_id, id.p, 8);
        s->has_key_id = !id.bad;
        s->key_algorithm = (uint8_t) take(c, 1);
        s->hash_algorithm = (uint8_t) take(c, 1);
}

static void read_version_4(Cursor *c, AshSigPacket *s) {
        take(c, 1);
        s->key_algorithm = (uint8_t) take(c, 1);
        s->hash_algorithm = (uint8_t) take(c, 1);
        for (int area = 0; area < 2; area++) {
                size_t n = take(c, 2);
                Cursor part = take_part(c, n);
                if (!part.bad)
                        read_subpackets(part, s);
        }
}

int ash_sig_packet_read(AshSlice data, AshSigPacket *ret) {
        Cursor c = { (const uint8_t *) data.ptr, data.len, false };
        AshSigPacket s = {};
        uint32_t tag = take(&c, 1);
        bool is_new = (tag & 0xc0) == 0xc0;
        if (!(tag & 0x80) || (is_new ? tag & 0x3f : (tag >> 2) & 0xf) != 2)
                return -ASH_ERR_SYNTAX;
        static const uint8_t old_lengths[] = { 1, 2, 4, 0 };
        size_t n = is_new ? take_length(&c, false) : old_lengths[tag & 3] ? take(&c, old_lengths[tag & 3]) : c.left;
        Cursor body = take_part(&c, n);
        s.length = data.len - c.left;
        s.version = (uint8_t) take(&body, 1);
        if (s.version == 3)
                read_version_3(&body, &s);
        else if (s.version == 4)
                read_version_4(&body, &s);
        if (c.bad || body.bad || (s.version != 3 && s.version != 4))
                return -ASH_ERR_SYNTAX;
        *ret = s;
        return 0;
}

const char *ash_sig_hash_name(uint8_t algorithm) {
        static const char *const names[] = { [1] = "md5", [2] = "sha1", [3] = "ripemd160", [8] = "sha256", [9] = "sha384", [10] = "sha512", [11] = "sha224", [12] = "sha3-256", [14] = "sha3-512" };
        return algorithm < ASH_N(names) && names[algorithm] ? names[algorithm] : "";
}

const char *ash_sig_key_name(uint8_t algorithm) {
        static const char *const names[] = { [1] = "rsa", [3] = "rsa", [17] = "dsa", [19] = "ecdsa", [22] = "eddsa", [27] = "ed25519", [28] = "ed448" };
        return algorithm < ASH_N(names) && names[algorithm] ? names[algorithm] : "";
}
