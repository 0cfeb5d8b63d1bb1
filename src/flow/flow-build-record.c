/* What is kept of a build: its key, and its provenance. */
#include <stdio.h>
#include <time.h>
#include "build.h"
#include "flow-build-private.h"
#include "flow-built.h"

#define CACHE "component-build"      /* key -> digest of the provenance record */

void ash_flow_job_make_key(Job *j) {
        _str_ AshStr text = {};
        ash_str_appendf(&text, "component build %d %s\n%s\n%s\n%.*s\n%s\n%lld\n", ASH_BUILD_ENGINE, ASHLAR_VERSION, j->inputs, j->root->key, ASH_F(j->arch), j->options_key, (long long) j->epoch);
        ash_digest_hex_of(ASH_SHA256, ash_str_slice(&text), j->key);
}

static void write_sources(AshJson *json, const Job *j) {
        ash_json_begin(json, "sources", '[');
        ash_array_foreach(&j->rendered->sources.items, s) {
                ash_json_begin(json, NULL, '{');
                ash_json_text(json, "name", s->filename);
                ash_json_str(json, "digest-kind", ash_digest_name(s->kind));
                ash_json_str(json, "digest", s->hex);
                ash_json_str(json, "from", ash_source_origin_name(s->origin));
                if (s->absent)
                        ash_json_bool(json, "absent", true);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
        ash_json_begin(json, "files", '[');
        ash_array_foreach(&j->rendered->files, f) {
                char hex[ASH_HEX_MAX];
                ash_digest_hex_of(ASH_SHA256, f->data, hex);
                ash_json_begin(json, NULL, '{');
                ash_json_str(json, "name", f->name);
                ash_json_str(json, "sha256", hex);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
}

static void write_root(AshJson *json, const Job *j) {
        ash_json_begin(json, "buildroot", '{');
        ash_json_str(json, "key", j->root->key);
        ash_json_text(json, "stage", j->config->build_stage.s.len ? j->config->build_stage.s : ASH_S("default"));
        ash_json_begin(json, "packages", '[');
        for (size_t i = 0; i < j->root->n_packages; i++) {
                ash_json_begin(json, NULL, '{');
                ash_json_text(json, "nevra", j->root->packages[i].nevra);
                ash_json_text(json, "sha256", j->root->packages[i].sha256);
                ash_json_text(json, "upstream", j->root->packages[i].upstream);
                ash_json_end(json, '}');
        }
        ash_json_end(json, ']');
        ash_json_end(json, '}');
}

static void write_record(Job *j, const AshBuildPackages *packages, const char *log, AshStr *out) {
        AshJson json = { .out = out };
        ash_json_begin(&json, NULL, '{');
        ash_json_int(&json, "format", 1);
        ash_json_text(&json, "component", j->component);
        ash_json_text(&json, "arch", j->arch);
        ash_json_str(&json, "key", j->key);
        ash_json_str(&json, "fingerprint", j->rendered->fingerprint->text);
        ash_json_text(&json, "upstream", j->rendered->fingerprint->origin);
        if (j->rendered->fingerprint->commit.len)
                ash_json_text(&json, "commit", j->rendered->fingerprint->commit);
        ash_json_str(&json, "engine", ASHLAR_VERSION);
        ash_json_int(&json, "build-engine", ASH_BUILD_ENGINE);
        ash_json_int(&json, "source-date-epoch", j->epoch);
        ash_json_bool(&json, "network", j->config->build_network.value == ASH_YES);
        if (j->config->build_network.value == ASH_YES)
                ash_json_text(&json, "network-reason", j->config->network_reason.s);
        ash_json_begin(&json, "options", '[');
        ash_array_foreach(&j->options, w)
                if (*w)
                        ash_json_str(&json, NULL, *w);
        ash_json_end(&json, ']');
        _str_ AshStr fingerprint = {};
        ash_fingerprint_format(j->rendered->fingerprint, &fingerprint);
        ash_json_text(&json, "fingerprint-record", ash_str_slice(&fingerprint));
        write_sources(&json, j);
        write_root(&json, j);
        ash_json_begin(&json, "packages", '[');
        ash_array_foreach(&packages->items, p) {
                char hex[ASH_ID_HEX];
                ash_id_hex(&p->id, hex);
                ash_json_begin(&json, NULL, '{');
                ash_json_str(&json, "nevra", p->nevra);
                ash_json_str(&json, "file", p->file);
                ash_json_str(&json, "kind", ash_built_kind_name(p->kind));
                ash_json_str(&json, "sha256", hex);
                ash_json_uint(&json, "size", p->bytes.len);
                ash_json_end(&json, '}');
        }
        ash_json_end(&json, ']');
        ash_json_str(&json, "log", log);
        ash_json_begin(&json, "run", '{'); /* of this one build: nothing follows from it */
        ash_json_int(&json, "ended", (int64_t) time(NULL));
        ash_json_double(&json, "seconds", (double) ((ash_now_ns() - j->began) / 1000000) / 1000);
        ash_json_uint(&json, "processors", j->o->vary >> ASH_VARY_PROCESSORS & 1 ? 1 : ash_cpu_count());
        ash_json_end(&json, '}');
        ash_json_end(&json, '}');
        ash_str_append_char(out, '\n');
}

void ash_flow_job_tell_key(Job *j) {
        AshBuildPackages none = {};
        _str_ AshStr text = {};
        write_record(j, &none, "", &text);
        j->result->record = ash_arena_slice(j->result->arena, ash_str_slice(&text));
        j->result->built.key = ash_arena_slice(j->result->arena, ash_slice_str(j->key));
}

const char *ash_flow_job_blob(const Job *j, AshSlice hex) {
        char path[ASH_BLOB_PATH_MAX];
        AshId id = {};
        (void) ash_id_parse(hex, &id);
        ash_store_blob_path(&id, path);
        return ash_arena_printf(j->result->arena, "%s/%s", ash_store_path(j->flow->store), path);
}

static AshSlice keep(Job *j, const char *text) { return ash_arena_slice(j->result->arena, ash_slice_str(text)); }

bool ash_flow_job_read_record(Job *j, AshSlice text, AshSlice hex, AshBuiltComponent *c, bool *ret_whole) {
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", text);
        AshJsonValue *record;
        AshId id;
        AshArena *a = j->result->arena;
        if (ash_json_parse(source, a, &record, NULL) < 0)
                return false;
        const AshJsonValue *packages = ash_json_get(record, "packages");
        AshSlice log = ash_json_get_string(record, "log");
        if (!packages || packages->type != ASH_JSON_ARRAY || !packages->array.n || ash_id_parse(log, &id) < 0)
                return false;
        *ret_whole = ash_store_has_blob(j->flow->store, &id);
        const char *fingerprint = strchr(j->rendered->fingerprint->text, ':');
        *c = (AshBuiltComponent){ .name = ash_arena_slice(a, j->component), .arch = ash_arena_slice(a, j->arch), .key = keep(j, j->key), .fingerprint = keep(j, fingerprint ? fingerprint + 1 : j->rendered->fingerprint->text), .log = log,
                                  .base = ash_arena_slice(a, j->rendered->base), .bumps = j->rendered->bumps, .provenance = ash_arena_slice(a, hex), .packages = ash_arena_new_items(a, AshBuiltPackage, packages->array.n + 1) };
        for (size_t i = 0; i < packages->array.n; i++) {
                const AshJsonValue *p = packages->array.items[i];
                int64_t size = 0;
                AshBuiltPackage *to = &c->packages[c->n_packages++];
                *to = (AshBuiltPackage){ .nevra = ash_json_get_string(p, "nevra"), .sha256 = ash_json_get_string(p, "sha256"), .kind = ash_built_kind(ash_json_get_string(p, "kind")) };
                if (!to->nevra.ptr || to->kind < 0 || !ash_json_get_int(p, "size", &size) || ash_id_parse(to->sha256, &id) < 0)
                        return false;
                to->size = (uint64_t) size;
                *ret_whole = *ret_whole && ash_store_has_blob(j->flow->store, &id);
        }
        return true;
}

static bool is_in_store(AshFlow *flow, AshSlice hex) {
        AshId id;
        return ash_id_parse(hex, &id) >= 0 && ash_store_has_blob(flow->store, &id);
}

bool ash_flow_job_is_whole(const Job *j, const AshBuiltComponent *c) {
        bool whole = c->n_packages && is_in_store(j->flow, c->log) && is_in_store(j->flow, c->provenance);
        for (size_t i = 0; whole && i < c->n_packages; i++)
                whole = is_in_store(j->flow, c->packages[i].sha256);
        return whole;
}

static bool recall_cached(Job *j, AshBuiltComponent *c, bool *ret_whole) {
        _bytes_ AshBytes hex = {}, record = {};
        AshId key, id;
        (void) ash_id_parse(ash_slice_str(j->key), &key);
        if (ash_store_cache_get(j->flow->store, CACHE, &key, &hex) < 0 || ash_id_parse(ash_bytes_slice(&hex), &id) < 0 || ash_store_map_blob(j->flow->store, &id, true, &record, NULL) < 0)
                return false;
        return ash_flow_job_read_record(j, ash_bytes_slice(&record), ash_slice_trim(ash_bytes_slice(&hex)), c, ret_whole);
}

/* By way of a list of one. */
AshBuiltComponent ash_flow_job_copy_built(Job *j, const AshBuiltComponent *c) {
        AshBuilt one = { .arena = j->result->arena };
        ash_built_set(&one, c);
        AshBuiltComponent copy = one.components.items[0];
        ash_array_done(&one.components);
        return copy;
}

bool ash_flow_job_first(Job *j, AshBuiltComponent *c, bool *ret_whole) {
        if (recall_cached(j, c, ret_whole))
                return true;
        const AshBuiltComponent *known = ash_built_find(j->built, j->component, j->arch);
        if (!known || !ash_slice_eqs(known->key, j->key) || !is_in_store(j->flow, known->provenance))
                return false;
        *c = ash_flow_job_copy_built(j, known);
        *ret_whole = ash_flow_job_is_whole(j, known);
        return true;
}

void ash_flow_job_count(Job *j, AshSlice record) {
        AshId key;
        (void) ash_id_parse(ash_slice_str(j->key), &key);
        (void) ash_store_cache_put(j->flow->store, CACHE, &key, record); /* only a loss of time */
}

bool ash_flow_job_recall(Job *j) {
        AshBuiltComponent c;
        bool whole = false;
        if (j->o->force || j->o->aside || !recall_cached(j, &c, &whole) || !whole)
                return false;
        j->result->built = c;
        j->result->log_path = ash_flow_job_blob(j, c.log);
        return j->result->cached = true;
}

int ash_flow_job_store_results(Job *j, const AshBuildPackages *packages) {
        AshStore *store = j->flow->store;
        AshDiags *diags = j->flow->diags;
        AshId log, record;
        char hex[ASH_ID_HEX];
        _str_ AshStr text = {};
        int r = 0;
        ash_array_foreach(&packages->items, p)
                if (r >= 0)
                        r = ash_store_put_blob(store, p->bytes, &p->id, NULL, diags);
        if (r >= 0)
                r = ash_store_put_blob(store, ash_build_log(j->build), NULL, &log, diags);
        if (r < 0)
                return r;
        ash_id_hex(&log, hex);
        write_record(j, packages, hex, &text);
        r = ash_store_put_blob(store, ash_str_slice(&text), NULL, &record, diags);
        if (r < 0)
                return r;
        ash_id_hex(&record, hex);
        bool whole = false;
        if (!ash_flow_job_read_record(j, ash_str_slice(&text), ash_slice_str(hex), &j->result->built, &whole) || !whole)
                return ash_fail(diags, -EIO, ASH_NOWHERE, "the store does not keep what '%.*s' gave", ASH_F(j->component));
        j->result->log_path = ash_arena_strdup(j->result->arena, j->log_path);
        return j->o->aside ? 0 : ash_flow_job_settle(j);
}

/* ---- reading ---- */
int ash_flow_record_read(AshFlow *flow, AshSlice hex, AshArena *arena, const AshJsonValue **ret) {
        _bytes_ AshBytes bytes = {};
        AshId id;
        int r = ash_id_parse(hex, &id);
        if (r >= 0)
                r = ash_store_map_blob(flow->store, &id, true, &bytes, NULL);
        if (r < 0)
                return r;
        AshSlice text = ash_arena_slice(arena, ash_bytes_slice(&bytes));
        _cleanup_(ash_source_free_p) AshSource *source = ash_source_new("record", text);
        AshJsonValue *v;
        r = ash_json_parse(source, arena, &v, NULL);
        if (r >= 0)
                *ret = v;
        return r;
}

size_t ash_flow_record_unverified(const AshJsonValue *record, AshArena *arena, AshSlice **ret) {
        const AshJsonValue *sources = record ? ash_json_get(record, "sources") : NULL;
        size_t all = sources && sources->type == ASH_JSON_ARRAY ? sources->array.n : 0, n = 0;
        *ret = ash_arena_new_items(arena, AshSlice, all + 1);
        for (size_t i = 0; i < all; i++) {
                const AshJsonValue *absent = ash_json_get(sources->array.items[i], "absent");
                if (absent && absent->type == ASH_JSON_BOOL && absent->boolean)
                        (*ret)[n++] = ash_json_get_string(sources->array.items[i], "name");
        }
        return n;
}

void ash_flow_job_tell_unverified(Job *j) {
        const AshJsonValue *record = NULL;
        (void) ash_flow_record_read(j->flow, j->result->built.provenance, j->result->arena, &record);
        j->result->n_unverified = ash_flow_record_unverified(record, j->result->arena, &j->result->unverified);
}
