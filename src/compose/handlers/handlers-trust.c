/* What update-ca-trust makes of p11-kit's sources of trust: the bundles below /etc/pki/ca-trust/extracted, as "trust extract" writes them.
 * Sources are PEM, DER, OpenSSL's TRUSTED CERTIFICATE, and p11-kit's own text ("[p11-kit-object-v1]", p11-kit's manual, "pkcs11.conf" and "trust module"): attributes of an object, and PEM.
 * A directory of sources is a token: extensions that one of its files attaches to a public key count for the certificates of that token only; distrust counts for all. */
#include "handlers-private.h"
#include "io-digest.h"
#include "io-x509.h"

#define EXTRACTED "/etc/pki/ca-trust/extracted"
#define LEGACY "/usr/share/pki/ca-trust-legacy"

/* object identifiers, as DER */
#define OID_PURPOSE(n) "\x06\x08\x2b\x06\x01\x05\x05\x07\x03" n
#define OID_SERVER OID_PURPOSE("\x01")
#define OID_CODE OID_PURPOSE("\x03")
#define OID_EMAIL OID_PURPOSE("\x04")
#define OID_PURPOSES "\x06\x03\x55\x1d\x25"
#define OID_ANY_PURPOSE "\x06\x04\x55\x1d\x25" /* and a zero byte */
#define OID_CONSTRAINTS "\x06\x03\x55\x1d\x13"
#define OID_KEYID "\x06\x03\x55\x1d\x0e"
#define OID_REJECT "\x06\x0a\x2b\x06\x01\x04\x01\x99\x77\x06\x0a\x01"   /* p11-kit's: purposes that OpenSSL rejects */
#define OID_RESERVED "\x06\x0a\x2b\x06\x01\x04\x01\x99\x77\x06\x0a\x10" /* p11-kit's: stands for "no purpose" */

typedef enum Place { PLACE_ANY, PLACE_ANCHORS, PLACE_BLOCKLIST } Place;
typedef struct Certificate {
        AshX509 x;
        bool has_value;              /* else only issuer and serial number are known */
        AshSlice label;
        int category;                /* 2: an authority; -1: what the certificate says */
        bool trusted, distrusted;
} Certificate;
typedef struct Token {
        ASH_ARRAY(Certificate) certificates;
        AshMap extensions;           /* identifier and public key -> AshSlice * value */
} Token;
typedef struct Trust {
        AshHandlerContext *c;
        AshArena *arena;
        Token tokens[2], *token;
        Place place;
        AshSlice prefix;             /* of the directory that is being read */
        AshMap blocked;              /* public keys; issuers with serial numbers */
} Trust;
/* An object of p11-kit's text, as it is read. */
typedef struct Draft {
        AshSlice class, label, value, public_key, issuer, serial, category, certificate;
        int trusted, distrusted;     /* -1: not said */
        bool open;
} Draft;

/* ---- reading ---- */
static AshSlice join(Trust *t, AshSlice a, AshSlice b) {
        _str_ AshStr s = {};
        ash_str_append(&s, a);
        ash_str_append(&s, b);
        return ash_arena_slice(t->arena, ash_str_slice(&s));
}

static void attach(Trust *t, AshSlice oid, AshSlice public_key, AshSlice value) {
        AshSlice *copy = ash_arena_new_item(t->arena, AshSlice);
        *copy = ash_arena_slice(t->arena, value);
        (void) ash_map_put(&t->token->extensions, join(t, oid, public_key), copy, NULL);
}

static AshSlice attached(Trust *t, const Token *token, AshSlice oid, const Certificate *c) {
        const AshSlice *value = ash_map_get(&token->extensions, join(t, oid, c->x.public_key));
        return value ? *value : ASH_NOSLICE;
}

static void add(Trust *t, Certificate c, int trusted, int distrusted, AshSlice path) {
        if (t->place == PLACE_ANCHORS && distrusted == 1)
                ash_warn(t->c->diags, ASH_NOWHERE, "%.*s: a distrusted certificate in a place for anchors", ASH_F(path));
        bool anchor = t->place == PLACE_ANCHORS && distrusted != 1;
        c.trusted = anchor || (t->place != PLACE_BLOCKLIST && trusted == 1);
        c.distrusted = !anchor && (t->place == PLACE_BLOCKLIST || distrusted == 1);
        if (c.distrusted && c.x.issuer.len && c.x.serial.len)
                (void) ash_map_put(&t->blocked, join(t, c.x.issuer, c.x.serial), t, NULL);
        if (c.distrusted && c.x.public_key.len)
                (void) ash_map_put(&t->blocked, c.x.public_key, t, NULL);
        ash_array_push(&t->token->certificates, c);
}

static AshSlice without(Trust *t, AshSlice from, AshSlice what) {
        _str_ AshStr left = {};
        AshSlice oid, other;
        while (ash_der_next(&from, 0x06, NULL, &oid)) {
                bool found = false;
                for (AshSlice rest = what; !found && ash_der_next(&rest, 0x06, NULL, &other);)
                        found = ash_slice_eq(oid, other);
                if (!found)
                        ash_str_append(&left, oid);
        }
        return ash_arena_slice(t->arena, ash_str_slice(&left));
}

static void attach_purposes(Trust *t, AshSlice oid, AshSlice public_key, AshSlice purposes) {
        _str_ AshStr der = {};
        ash_der_append(&der, 0x30, purposes.len ? purposes : ASH_S(OID_RESERVED));
        attach(t, oid, public_key, ash_str_slice(&der));
}

/* OpenSSL's auxiliary part says for what a certificate is trusted: those are attached to its key. Trusted for nothing is distrusted. */
static int add_der(Trust *t, AshSlice der, bool with_aux, AshSlice path) {
        Certificate c = { .has_value = true, .category = -1 };
        int r = ash_x509_read(der, with_aux, t->arena, &c.x), trusted = -1;
        if (r < 0)
                return r;
        c.label = c.x.has_aux && c.x.alias.len ? c.x.alias : c.x.name;
        if (c.x.has_aux) {
                AshSlice purposes = without(t, c.x.trust, c.x.reject);
                trusted = purposes.len > 0;
                attach_purposes(t, ASH_S(OID_PURPOSES), c.x.public_key, purposes);
                if (c.x.has_reject)
                        attach_purposes(t, ASH_S(OID_REJECT), c.x.public_key, c.x.reject);
                if (c.x.keyid.ptr) {
                        _str_ AshStr keyid = {};
                        ash_der_append(&keyid, 0x04, c.x.keyid);
                        attach(t, ASH_S(OID_KEYID), c.x.public_key, ash_str_slice(&keyid));
                }
        }
        add(t, c, trusted, trusted < 0 ? -1 : !trusted, path);
        return 0;
}

static int read_pem(Trust *t, AshSlice text, AshSlice path) {
        AshSlice label, der;
        int r, n = 0;
        while ((r = ash_pem_next(&text, t->arena, &label, &der)) != -ENOENT) {
                bool aux = r >= 0 && ash_slice_eqs(label, "TRUSTED CERTIFICATE");
                if (r >= 0 && !aux && !ash_slice_eqs(label, "CERTIFICATE"))
                        continue;
                if (r < 0 || add_der(t, der, aux, path) < 0)
                        ash_warn(t->c->diags, ASH_NOWHERE, "%.*s: a damaged certificate is left out", ASH_F(path));
                else
                        n++;
        }
        return n;
}

static AshSlice unquote(Trust *t, AshSlice s) {
        _str_ AshStr text = {};
        if (s.len < 2 || s.ptr[0] != '"' || s.ptr[s.len - 1] != '"')
                return s;
        s = ash_slice_sub(s, 1, s.len - 2);
        for (size_t i = 0; i < s.len; i++) {
                uint8_t byte;
                if (s.ptr[i] == '%' && ash_unhex(ash_slice_sub(s, i + 1, 2), &byte, 1) >= 0) {
                        ash_str_append_char(&text, (char) byte);
                        i += 2;
                } else
                        ash_str_append_char(&text, s.ptr[i]);
        }
        return ash_arena_slice(t->arena, ash_str_slice(&text));
}

static void attribute(Trust *t, Draft *d, AshSlice key, AshSlice value) {
        const struct { const char *name; AshSlice *text; int *flag; } known[] = {
                { "class", &d->class, NULL },     { "label", &d->label, NULL },         { "value", &d->value, NULL },     { "public-key-info", &d->public_key, NULL },
                { "issuer", &d->issuer, NULL },   { "serial-number", &d->serial, NULL }, { "trusted", NULL, &d->trusted }, { "x-public-key-info", &d->public_key, NULL },
                { "x-distrusted", NULL, &d->distrusted }, { "certificate-category", &d->category, NULL },
        };
        for (size_t i = 0; i < ASH_N(known); i++)
                if (ash_slice_eqs(key, known[i].name) && known[i].text)
                        *known[i].text = unquote(t, value);
                else if (ash_slice_eqs(key, known[i].name))
                        *known[i].flag = ash_slice_eqs(value, "true");
}

/* value: the whole extension, SEQUENCE { extnID, critical, extnValue }. */
static bool add_extension(Trust *t, const Draft *d) {
        AshSlice rest = d->value, inner, oid, value;
        if (!ash_der_next(&rest, 0x30, &inner, NULL) || !ash_der_next(&inner, 0x06, NULL, &oid))
                return false;
        (void) ash_der_next(&inner, 0x01, NULL, NULL);
        if (!ash_der_next(&inner, 0x04, &value, NULL) || !d->public_key.len)
                return false;
        attach(t, oid, d->public_key, value);
        return true;
}

static void finish(Trust *t, Draft *d, AshSlice path) {
        bool certificate = d->certificate.ptr || ash_slice_eqs(d->class, "certificate"), good = true;
        if (!d->open)
                return;
        if (certificate) {
                Certificate c = { .category = -1 };
                AshSlice der = d->certificate.ptr ? d->certificate : d->value;
                c.has_value = der.len;
                if (c.has_value)
                        good = ash_x509_read(der, false, t->arena, &c.x) >= 0;
                else
                        c.x = (AshX509){ .issuer = d->issuer, .serial = d->serial, .public_key = d->public_key };
                c.label = d->label.ptr ? d->label : c.x.name;
                if (d->category.ptr)
                        c.category = ash_slice_eqs(d->category, "authority") ? 2 : 0;
                if (good)
                        add(t, c, d->trusted, d->distrusted, path);
        } else if (ash_slice_eqs(d->class, "x-certificate-extension"))
                good = add_extension(t, d);
        if (!good)
                ash_warn(t->c->diags, ASH_NOWHERE, "%.*s: a damaged object '%.*s' is left out", ASH_F(path), ASH_F(d->label));
}

static void take_pem(Trust *t, Draft *d, AshSlice *rest, AshSlice path) {
        AshSlice label, der;
        if (ash_pem_next(rest, t->arena, &label, &der) < 0)
                ash_warn(t->c->diags, ASH_NOWHERE, "%.*s: a damaged PEM block is left out", ASH_F(path));
        else if (ash_slice_eqs(label, "CERTIFICATE"))
                d->certificate = der;
        else if (ash_slice_eqs(label, "PUBLIC KEY"))
                d->public_key = der;
}

static void read_objects(Trust *t, AshSlice text, AshSlice path) {
        Draft d = {};
        for (AshSlice rest = text, before = text, line; ash_slice_next_line(&rest, &line); before = rest) {
                line = ash_slice_trim(line);
                ptrdiff_t colon = ash_slice_find_char(line, ':');
                if (ash_slice_starts(line, ASH_S("-----BEGIN "))) {
                        take_pem(t, &d, &before, path);
                        rest = before;
                } else if (ash_slice_eqs(line, "[p11-kit-object-v1]")) {
                        finish(t, &d, path);
                        d = (Draft){ .open = true, .trusted = -1, .distrusted = -1 };
                } else if (d.open && line.len && line.ptr[0] != '#' && colon > 0)
                        attribute(t, &d, ash_slice_trim(ash_slice_sub(line, 0, (size_t) colon)), ash_slice_trim(ash_slice_from(line, (size_t) colon + 1)));
        }
        finish(t, &d, path);
}

static int read_source(void *context, AshSlice path, AshNode n _unused_) {
        Trust *t = context;
        AshSlice text = ash_compose_read(t->c->tree, path);
        if (!text.len || ash_path_base(path).ptr[0] == '.' || ash_slice_find_char(ash_slice_from(path, t->prefix.len + 1), '/') >= 0)
                return 0;
        if (ash_slice_find(text, ASH_S("[p11-kit-object-v1]")) >= 0)
                read_objects(t, text, path);
        else if (!read_pem(t, text, path) && add_der(t, text, false, path) < 0 && ash_slice_find_char(ash_path_base(path), '.') >= 0 && !ash_slice_eqs(ash_path_base(path), "README"))
                ash_warn(t->c->diags, ASH_NOWHERE, "%.*s has no certificate", ASH_F(path));
        return 0;
}

static int read_sources(Trust *t) {
        static const struct { const char *directory, *glob; Place place; unsigned token; } places[] = {
                { "/etc/pki/ca-trust/source", "/etc/pki/ca-trust/source/*", PLACE_ANY, 0 },
                { "/etc/pki/ca-trust/source/anchors", "/etc/pki/ca-trust/source/anchors/*", PLACE_ANCHORS, 0 },
                { "/etc/pki/ca-trust/source/blocklist", "/etc/pki/ca-trust/source/blocklist/*", PLACE_BLOCKLIST, 0 },
                { "/etc/pki/ca-trust/source/blacklist", "/etc/pki/ca-trust/source/blacklist/*", PLACE_BLOCKLIST, 0 },
                { "/usr/share/pki/ca-trust-source", "/usr/share/pki/ca-trust-source/*", PLACE_ANY, 1 },
                { "/usr/share/pki/ca-trust-source/anchors", "/usr/share/pki/ca-trust-source/anchors/*", PLACE_ANCHORS, 1 },
                { "/usr/share/pki/ca-trust-source/blocklist", "/usr/share/pki/ca-trust-source/blocklist/*", PLACE_BLOCKLIST, 1 },
                { "/usr/share/pki/ca-trust-source/blacklist", "/usr/share/pki/ca-trust-source/blacklist/*", PLACE_BLOCKLIST, 1 },
        };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ASH_N(places); i++) {
                t->token = &t->tokens[places[i].token];
                t->place = places[i].place;
                t->prefix = ash_slice_str(places[i].directory);
                r = ash_compose_match(t->c->tree, (const char *const[]){ places[i].glob, NULL }, read_source, t);
        }
        return r;
}

/* ---- choosing ---- */
typedef struct Chosen {
        const Token *token;
        const Certificate *certificate;
} Chosen;
typedef ASH_ARRAY(Chosen) ChosenList;

static bool is_authority(Trust *t, const Token *token, const Certificate *c) {
        AshSlice value = attached(t, token, ASH_S(OID_CONSTRAINTS), c), inner, ca;
        if (c->category >= 0)
                return c->category == 2;
        if (value.ptr)
                return ash_der_next(&value, 0x30, &inner, NULL) && ash_der_next(&inner, 0x01, &ca, NULL) && ca.len == 1 && ca.ptr[0];
        return c->x.has_constraints ? c->x.is_authority : c->x.version1 && ash_slice_eq(c->x.subject, c->x.issuer);
}

static bool serves(Trust *t, const Token *token, const Certificate *c, AshSlice purpose) {
        AshSlice value = attached(t, token, ASH_S(OID_PURPOSES), c), list, oid;
        if (!value.ptr)
                value = c->x.purposes;
        if (!value.ptr || !ash_der_next(&value, 0x30, &list, NULL))
                return !value.ptr;
        while (ash_der_next(&list, 0x06, NULL, &oid))
                if (ash_slice_eq(oid, purpose) || ash_slice_eq(oid, ash_slice(OID_ANY_PURPOSE, sizeof OID_ANY_PURPOSE)))
                        return true;
        return false;
}

static bool is_anchor(Trust *t, const Token *token, const Certificate *c) {
        return c->trusted && !c->distrusted && !ash_map_find(&t->blocked, c->x.public_key) && !ash_map_find(&t->blocked, join(t, c->x.issuer, c->x.serial)) && is_authority(t, token, c);
}

/* purpose: NULL: all certificates; else the anchors for it. One certificate that several files have is there once. */
static void choose(Trust *t, const char *purpose, ChosenList *ret) {
        _map_ AshMap seen = {};
        for (size_t i = 0; i < ASH_N(t->tokens); i++)
                ash_array_foreach(&t->tokens[i].certificates, c) {
                        const Token *token = &t->tokens[i];
                        if (!c->has_value || ash_map_find(&seen, c->x.der) || (purpose && !is_anchor(t, token, c)))
                                continue;
                        (void) ash_map_put(&seen, c->x.der, t, NULL);
                        if (!purpose || serves(t, token, c, ash_slice_str(purpose)))
                                ash_array_push(ret, ((Chosen){ token, c }));
                }
}

/* ---- writing ---- */
static AshSlice label_of(const Certificate *c) { return c->label.len ? c->label : ASH_S("certificate"); }

static void comment(AshStr *out, const Certificate *c) { ash_str_appendf(out, "%s# %.*s\n", out->len ? "\n" : "", ASH_F(label_of(c))); }

static void purposes_of(AshSlice value, AshStr *out) {
        AshSlice list, oid;
        if (value.ptr && ash_der_next(&value, 0x30, &list, NULL))
                while (ash_der_next(&list, 0x06, NULL, &oid))
                        if (!ash_slice_eqs(oid, OID_RESERVED))
                                ash_str_append(out, oid);
}

/* OpenSSL's CertAux: SEQUENCE { trust SEQUENCE OF, reject [0] SEQUENCE OF, alias, keyid }, all optional. */
static void write_aux(Trust *t, const Token *token, const Certificate *c, AshStr *out) {
        static const char *const all[] = { OID_SERVER, OID_PURPOSE("\x02"), OID_CODE, OID_EMAIL, OID_PURPOSE("\x05"), OID_PURPOSE("\x06"), OID_PURPOSE("\x07"), OID_PURPOSE("\x08") };
        _str_ AshStr trust = {}, reject = {}, aux = {};
        AshSlice keyid = attached(t, token, ASH_S(OID_KEYID), c), trusts = attached(t, token, ASH_S(OID_PURPOSES), c), rejects = attached(t, token, ASH_S(OID_REJECT), c);
        bool neutral = !c->trusted && !c->distrusted;
        purposes_of(rejects, &reject);
        for (size_t i = 0; c->distrusted && i < ASH_N(all); i++)
                ash_str_append_str(&reject, all[i]);
        if (c->trusted && !c->distrusted)
                purposes_of(trusts, &trust);
        /* an empty list: for nothing; none: for all, or rejected anyway */
        if (neutral || (trusts.ptr && !c->distrusted))
                ash_der_append(&aux, 0x30, ash_str_slice(&trust));
        if (reject.len || rejects.ptr)
                ash_der_append(&aux, 0xa0, ash_str_slice(&reject));
        if (c->label.len)
                ash_der_append(&aux, 0x0c, c->label);
        if (keyid.ptr)
                ash_der_append(&aux, 0x04, keyid);
        ash_der_append(out, 0x30, ash_str_slice(&aux));
}

static void write_pem(Trust *t _unused_, const ChosenList *list, AshStr *out) {
        ash_array_foreach(list, e) {
                comment(out, e->certificate);
                ash_pem_append(out, "CERTIFICATE", e->certificate->x.der);
        }
}

static void write_openssl(Trust *t, const ChosenList *list, AshStr *out) {
        ash_array_foreach(list, e) {
                _str_ AshStr der = {};
                ash_str_append(&der, e->certificate->x.der);
                write_aux(t, e->token, e->certificate, &der);
                comment(out, e->certificate);
                ash_pem_append(out, "TRUSTED CERTIFICATE", ash_str_slice(&der));
        }
}

static void big(AshStr *out, uint64_t v, unsigned bytes) {
        while (bytes-- > 0)
                ash_str_append_char(out, (char) (v >> 8 * bytes));
}

static AshSlice java_alias(Trust *t, AshMap *taken, AshSlice label) {
        _str_ AshStr alias = {};
        bool fresh = false;
        for (size_t i = 0; i < label.len && alias.len < INT16_MAX - 16; i++)
                if ((unsigned char) label.ptr[i] < 0x80 && !strchr(" \t\n\v\f\r", label.ptr[i]))
                        ash_str_append_char(&alias, label.ptr[i] >= 'A' && label.ptr[i] <= 'Z' ? (char) (label.ptr[i] + 32) : label.ptr[i]);
        AshSlice name = ash_arena_slice(t->arena, ash_str_slice(&alias));
        for (unsigned i = 1; ash_map_ensure(taken, name, &fresh), !fresh; i++)
                name = ash_slice_str(ash_arena_printf(t->arena, "%.*s-%u", (int) alias.len, alias.ptr ? alias.ptr : "", i));
        return name;
}

/* JavaKeyStore of the JDK, version 2: entries of the kind "trusted certificate", made at SOURCE_DATE_EPOCH, and a digest keyed with the usual password "changeit". */
static void write_java(Trust *t, const ChosenList *list, AshStr *out) {
        static const char password[] = "\0c\0h\0a\0n\0g\0e\0i\0t";
        _cleanup_(ash_digest_free_p) AshDigest *digest = ash_digest_new(ASH_SHA1);
        _map_ AshMap taken = {};
        uint8_t sum[20];
        big(out, 0xfeedfeed, 4);
        big(out, 2, 4);
        big(out, list->n, 4);
        ash_array_foreach(list, e) {
                AshSlice alias = java_alias(t, &taken, e->certificate->label.len ? e->certificate->label : ASH_S("unlabeled"));
                big(out, 2, 4);
                big(out, alias.len, 2);
                ash_str_append(out, alias);
                big(out, (uint64_t) t->c->time * 1000, 8);
                big(out, 5, 2);
                ash_str_append_str(out, "X.509");
                big(out, e->certificate->x.der.len, 4);
                ash_str_append(out, e->certificate->x.der);
        }
        ash_digest_update(digest, password, sizeof password - 1);
        ash_digest_update(digest, "Mighty Aphrodite", 16);
        ash_digest_update(digest, out->ptr, out->len);
        ash_digest_final(digest, sum);
        ash_str_append(out, ash_slice((const char *) sum, sizeof sum));
}

static void little(AshStr *out, size_t v) {
        for (unsigned i = 0; i < 4; i++)
                ash_str_append_char(out, (char) (v >> 8 * i));
}

/* EFI_SIGNATURE_LIST of one EFI_CERT_X509 each (UEFI 2.10, 32.4.1). */
static void write_edk2(Trust *t _unused_, const ChosenList *list, AshStr *out) {
        static const uint8_t x509[16] = { 0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72 };
        static const uint8_t owner[16] = { 0x50, 0x3b, 0xdd, 0xdc, 0x05, 0xf4, 0xfd, 0x43, 0x96, 0xbe, 0xbd, 0x33, 0xb1, 0x73, 0x47, 0x76 }; /* "made by p11-kit" */
        ash_array_foreach(list, e) {
                size_t n = e->certificate->x.der.len;
                ash_str_append(out, ash_slice((const char *) x509, sizeof x509));
                little(out, 28 + 16 + n);
                little(out, 0);
                little(out, 16 + n);
                ash_str_append(out, ash_slice((const char *) owner, sizeof owner));
                ash_str_append(out, e->certificate->x.der);
        }
}

static int put_hash_links(Trust *t, const Certificate *c, AshSlice file, AshMap *taken) {
        const uint32_t hashes[] = { c->x.hash, c->x.old_hash };
        bool fresh;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ASH_N(hashes); i++) {
                AshSlice name;
                unsigned n = 0;
                do
                        name = ash_slice_str(ash_arena_printf(t->arena, "%08x.%u", hashes[i], n++));
                while (ash_map_ensure(taken, name, &fresh), !fresh);
                r = ash_handler_symlink(t->c, ash_slice_str(ash_arena_printf(t->arena, EXTRACTED "/pem/directory-hash/%.*s", ASH_F(name))), file);
        }
        return r;
}

static AshSlice file_name(Trust *t, const Certificate *c, AshMap *taken) {
        char *base = ash_arena_printf(t->arena, "%.*s", ASH_F(label_of(c)));
        AshSlice name = ash_slice_str(base);
        bool fresh = false;
        for (char *p = base; *p; p++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *p))
                        *p = '_';
        name = ash_slice_str(ash_arena_printf(t->arena, "%s.pem", base));
        for (unsigned i = 1; ash_map_ensure(taken, name, &fresh), !fresh; i++)
                name = ash_slice_str(ash_arena_printf(t->arena, "%s.%u.pem", base, i));
        return name;
}

static int put_directory(Trust *t, const ChosenList *list) {
        _map_ AshMap taken = {};
        int r = 0;
        ash_array_foreach(list, e) {
                _str_ AshStr pem = {};
                AshSlice name = file_name(t, e->certificate, &taken);
                ash_pem_append(&pem, "CERTIFICATE", e->certificate->x.der);
                r = r < 0 ? r : ash_handler_file(t->c, ash_slice_str(ash_arena_printf(t->arena, EXTRACTED "/pem/directory-hash/%.*s", ASH_F(name))), ash_str_slice(&pem), 0444, NULL);
                r = r < 0 ? r : put_hash_links(t, e->certificate, name, &taken);
        }
        /* names that Debian's and older Fedora's programs look for */
        r = r < 0 ? r : ash_handler_symlink(t->c, ASH_S(EXTRACTED "/pem/directory-hash/ca-certificates.crt"), ASH_S("../tls-ca-bundle.pem"));
        return r < 0 ? r : ash_handler_symlink(t->c, ASH_S(EXTRACTED "/pem/directory-hash/ca-bundle.crt"), ASH_S("../tls-ca-bundle.pem"));
}

static int put_all(Trust *t) {
        static const struct { const char *path, *purpose; void (*write)(Trust *t, const ChosenList *list, AshStr *out); } outputs[] = {
                { EXTRACTED "/openssl/ca-bundle.trust.crt",  NULL,       write_openssl },
                { EXTRACTED "/pem/tls-ca-bundle.pem",        OID_SERVER, write_pem },
                { EXTRACTED "/pem/email-ca-bundle.pem",      OID_EMAIL,  write_pem },
                { EXTRACTED "/pem/objsign-ca-bundle.pem",    OID_CODE,   write_pem },
                { EXTRACTED "/java/cacerts",                 OID_SERVER, write_java },
                { EXTRACTED "/edk2/cacerts.bin",             OID_SERVER, write_edk2 },
                { EXTRACTED "/pem/directory-hash",           OID_SERVER, NULL },
        };
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ASH_N(outputs); i++) {
                _str_ AshStr out = {};
                ChosenList list = {};
                choose(t, outputs[i].purpose, &list);
                if (outputs[i].write) {
                        outputs[i].write(t, &list, &out);
                        r = ash_handler_file(t->c, ash_slice_str(outputs[i].path), ash_str_slice(&out), 0444, NULL);
                } else
                        r = put_directory(t, &list);
                ash_array_done(&list);
        }
        return r;
}

/* Certificates that Mozilla distrusts but old servers still need: ca-legacy's link, "default" unless its configuration says "disable". */
static int put_legacy(AshHandlerContext *c) {
        AshSlice rest = ash_compose_read(c->tree, ASH_S("/etc/pki/ca-trust/ca-legacy.conf")), line;
        const char *target = LEGACY "/ca-bundle.legacy.default.crt";
        while (rest.ptr && ash_slice_next_line(&rest, &line))
                if (ash_slice_eqs(ash_slice_trim(line), "legacy=disable"))
                        target = LEGACY "/ca-bundle.legacy.disable.crt";
        return ash_compose_read(c->tree, ash_slice_str(target)).ptr ? ash_handler_symlink(c, ASH_S("/etc/pki/ca-trust/source/ca-bundle.legacy.crt"), ash_slice_str(target)) : 0;
}

bool ash_wants_trust(const AshHandlerContext *c) {
        return ash_tree_lookup(c->tree, ASH_S("/usr/share/pki/ca-trust-source"), true) != ASH_NO_NODE || ash_tree_lookup(c->tree, ASH_S("/etc/pki/ca-trust/source"), true) != ASH_NO_NODE;
}

int ash_handle_trust(AshHandlerContext *c) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        Trust t = { .c = c, .arena = arena };
        int r = put_legacy(c);
        r = r < 0 ? r : read_sources(&t);
        r = r < 0 ? r : put_all(&t);
        for (size_t i = 0; i < ASH_N(t.tokens); i++) {
                ash_array_done(&t.tokens[i].certificates);
                ash_map_done(&t.tokens[i].extensions);
        }
        ash_map_done(&t.blocked);
        return r;
}
