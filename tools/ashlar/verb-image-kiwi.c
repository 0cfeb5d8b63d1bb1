/* image plan of a KIWI description: what it amounts to, and what of it is not supported. */
#include "flow-image.h"
#include "verb-image.h"

/* One setting: printed as a line "KEY VALUE", or as a member of a JSON object. */
typedef struct Show {
        AshCli *cli;
        AshJson *json;
} Show;

static void one(Show *s, const char *key, AshSlice value) {
        if (!value.len)
                return;
        if (s->json)
                ash_json_text(s->json, key, value);
        else
                ash_cli_printf(s->cli, "%s %.*s\n", key, ASH_F(value));
}

static void many(Show *s, const char *key, const AshTexts *texts) {
        if (!texts->n)
                return;
        if (s->json)
                ash_json_begin(s->json, key, '[');
        for (size_t i = 0; i < texts->n; i++)
                if (s->json)
                        ash_json_text(s->json, NULL, texts->items[i].s);
                else
                        ash_cli_printf(s->cli, "%s %.*s\n", key, ASH_F(texts->items[i].s));
        if (s->json)
                ash_json_end(s->json, ']');
}

static void pairs(Show *s, const char *key, const AshPairs *pairs) {
        if (!pairs->n)
                return;
        if (s->json)
                ash_json_begin(s->json, key, '{');
        for (size_t i = 0; i < pairs->n; i++)
                if (s->json) {
                        ash_json_key(s->json, pairs->items[i].key.s);
                        ash_json_text(s->json, NULL, pairs->items[i].value.s);
                } else
                        ash_cli_printf(s->cli, "%s %.*s=%.*s\n", key, ASH_F(pairs->items[i].key.s), ASH_F(pairs->items[i].value.s));
        if (s->json)
                ash_json_end(s->json, '}');
}

static void settings(Show *s, const AshImage *i) {
        one(s, "description", i->description.s);
        one(s, "kind", i->kind.s);
        many(s, "formats", &i->formats);
        one(s, "locale", i->locale.s);
        one(s, "keymap", i->keymap.s);
        one(s, "time-zone", i->time_zone.s);
        if (i->documentation.value != ASH_UNSET)
                one(s, "documentation", i->documentation.value == ASH_YES ? ASH_S("true") : ASH_S("false"));
        one(s, "size", i->size.s);
        one(s, "boot-loader", i->boot_loader.s);
        many(s, "kernel-command-line", &i->kernel_command_line);
        one(s, "oci.user", i->oci.user.s);
        one(s, "oci.working-directory", i->oci.working_directory.s);
        many(s, "oci.entrypoint", &i->oci.entrypoint);
        many(s, "oci.command", &i->oci.command);
        many(s, "oci.tags", &i->oci.tags);
        many(s, "oci.exposed-ports", &i->oci.exposed_ports);
        many(s, "oci.volumes", &i->oci.volumes);
        pairs(s, "oci.environment", &i->oci.environment);
        pairs(s, "oci.labels", &i->oci.labels);
        many(s, "packages", &i->packages);
        many(s, "exclude-packages", &i->exclude_packages);
}

static void users(Show *s, const AshImage *image) {
        for (size_t i = 0; i < image->users.n; i++) {
                const AshImageUser *u = &image->users.items[i];
                if (s->json)
                        ash_json_begin(s->json, NULL, '{');
                else
                        ash_cli_printf(s->cli, "user %.*s\n", ASH_F(u->name.s));
                if (s->json) {
                        one(s, "name", u->name.s);
                        one(s, "home", u->home.s);
                        one(s, "shell", u->shell.s);
                        one(s, "comment", u->comment.s);
                        if (u->uid.set)
                                ash_json_int(s->json, "uid", u->uid.value);
                        many(s, "groups", &u->groups);
                        ash_json_end(s->json, '}');
                }
        }
}

static void partitions(Show *s, const AshImage *image) {
        for (size_t i = 0; i < image->partitions.n; i++) {
                const AshImagePartition *p = &image->partitions.items[i];
                if (!s->json) {
                        ash_cli_printf(s->cli, "partition %.*s", ASH_F(p->type.s));
                        const struct { const char *name; AshSlice value; } values[] = { { "size", p->size.s }, { "filesystem", p->filesystem.s }, { "label", p->label.s } };
                        for (size_t k = 0; k < ASH_N(values); k++)
                                if (values[k].value.len)
                                        ash_cli_printf(s->cli, " %s=%.*s", values[k].name, ASH_F(values[k].value));
                        ash_cli_print(s->cli, "\n");
                        continue;
                }
                ash_json_begin(s->json, NULL, '{');
                one(s, "type", p->type.s);
                one(s, "size", p->size.s);
                one(s, "filesystem", p->filesystem.s);
                one(s, "label", p->label.s);
                ash_json_end(s->json, '}');
        }
}

static void list_of(Show *s, const char *key, const AshImage *image, size_t n, void (*fn)(Show *, const AshImage *)) {
        if (n && s->json)
                ash_json_begin(s->json, key, '[');
        fn(s, image);
        if (n && s->json)
                ash_json_end(s->json, ']');
}

static void notes(Show *s, const AshFlowKiwi *k) {
        if (s->json)
                ash_json_begin(s->json, "not-supported", '[');
        else if (k->notes.n)
                ash_cli_print(s->cli, "not supported:\n");
        ash_array_foreach(&k->notes, n)
                if (s->json) {
                        ash_json_begin(s->json, NULL, '{');
                        ash_json_str(s->json, "file", k->file);
                        if (n->line)
                                ash_json_uint(s->json, "line", n->line);
                        ash_json_text(s->json, "text", n->text);
                        ash_json_end(s->json, '}');
                } else if (n->line)
                        ash_cli_printf(s->cli, "  %s:%u: %.*s\n", k->file, n->line, ASH_F(n->text));
                else
                        ash_cli_printf(s->cli, "  %s: %.*s\n", k->file, ASH_F(n->text));
        if (s->json)
                ash_json_end(s->json, ']');
}

int ash_image_plan_kiwi(AshCli *cli, const AshImage *image, AshSlice arch) {
        _cleanup_(ash_flow_kiwi_free_p) AshFlowKiwi *k = NULL;
        AshFlow flow = ash_cli_flow(cli);
        int r = ash_flow_kiwi(&flow, image, arch, &k);
        if (r < 0)
                return r;
        AshJson j = cli->json ? ash_cli_json(cli) : (AshJson){};
        Show s = { cli, cli->json ? &j : NULL };
        if (s.json)
                ash_json_begin(s.json, NULL, '{');
        else
                ash_cli_printf(cli, "%.*s: a KIWI description, read for %.*s. Images are built from native definitions: this is what one would say.\n", ASH_F(image->name.s), ASH_F(arch));
        one(&s, "image", image->name.s);
        one(&s, "definition", ash_slice_str(k->file));
        one(&s, "profile", k->profile);
        one(&s, "arch", arch);
        one(&s, "reference", k->reference);
        settings(&s, &k->image);
        list_of(&s, "users", &k->image, k->image.users.n, users);
        list_of(&s, "partitions", &k->image, k->image.partitions.n, partitions);
        notes(&s, k);
        if (s.json) {
                ash_json_end(s.json, '}');
                ash_cli_print(cli, "\n");
        }
        return 0;
}
