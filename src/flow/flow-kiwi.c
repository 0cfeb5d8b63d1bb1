/* KIWI descriptions as image definitions: what has a counterpart is taken over, the rest is listed. One row for each element that we know. */
#include "flow-image.h"
#include "kiwi.h"

typedef struct Mapper Mapper;
typedef struct Row {
        const char *path;            /* below "image" */
        const char *attributes;      /* those that mean something to us, each between spaces; "*": all are for people only */
        void (*take)(Mapper *m, const AshKiwiElement *e);
} Row;
struct Mapper {
        AshFlowKiwi *k;
        AshArena *arena;
        AshSlice arch;
        ASH_ARRAY(AshSlice) profiles; /* the chosen ones */
        AshSlice packages_type;      /* of the section that we are in */
        ASH_ARRAY(AshText) packages, excluded, formats, tags, command, entrypoint, ports, volumes, cmdline;
        ASH_ARRAY(AshPair) environment, labels;
        ASH_ARRAY(AshImageUser) users;
        AshImagePartition esp, root;
        bool disk;
};

/* ---- what is not taken over ---- */
static void note(Mapper *m, const AshKiwiElement *e, const char *format, ...) _printf_(3, 4);
static void note(Mapper *m, const AshKiwiElement *e, const char *format, ...) {
        _str_ AshStr text = {};
        va_list ap;
        va_start(ap, format);
        ash_str_appendv(&text, format, ap);
        va_end(ap);
        ash_array_push(&m->k->notes, ((AshFlowKiwiNote){ e->line, ash_arena_slice(m->arena, ash_str_slice(&text)) }));
}

static AshText text_of(AshSlice s) { return (AshText){ .s = s }; }
static AshText printed(Mapper *m, AshSlice s, const char *suffix) { return text_of(ash_slice_str(ash_arena_printf(m->arena, "%.*s%s", ASH_F(s), suffix))); }
static bool in_list(AshSlice list, AshSlice what) {
        AshSlice item;
        while (ash_slice_split(&list, ',', &item))
                if (ash_slice_eq(ash_slice_trim(item), what))
                        return true;
        return false;
}
static bool is(AshSlice s, const char *what) { return ash_slice_eqs(s, what); }

/* ---- preferences ---- */
static void take_locale(Mapper *m, const AshKiwiElement *e) {
        AshSlice rest = e->text, first;
        if (!ash_slice_split(&rest, ',', &first) || !first.len)
                return;
        m->k->image.locale = printed(m, first, ash_slice_find_char(first, '.') >= 0 ? "" : ".UTF-8");
        if (rest.len)
                note(m, e, "further locales: %.*s", ASH_F(rest));
}
static void take_keytable(Mapper *m, const AshKiwiElement *e) { m->k->image.keymap = text_of(e->text); }
static void take_timezone(Mapper *m, const AshKiwiElement *e) { m->k->image.time_zone = text_of(e->text); }
static void take_excludedocs(Mapper *m, const AshKiwiElement *e) { m->k->image.documentation.value = is(e->text, "true") ? ASH_NO : ASH_YES; }
static void take_description(Mapper *m, const AshKiwiElement *e) {
        if (!ash_text_set(m->k->image.description))
                m->k->image.description = text_of(e->text);
}

/* ---- the type ---- */
static const struct { const char *kiwi, *kind, *format; } types[] = {
        { "oci", "container", "oci" }, { "docker", "container", "docker" }, { "tbz", "archive", "tar" }, { "cpio", "archive", "cpio" }, { "oem", "disk", "raw" },
        { "squashfs", "archive", "squashfs" }, { "erofs", "archive", "erofs" }, { "iso", "disk", "iso" },
};
static const struct { const char *kiwi, *format; } disk_formats[] = { { "raw", "raw" }, { "qcow2", "qcow2" }, { "vmdk", "vmdk" }, { "vhdx", "vhdx" }, { "vhd", "vhd-dynamic" }, { "vhd-fixed", "vhd" } };
/* Attributes that say, with this value, what we do anyway. */
static const struct { const char *name, *value; } as_we_do[] = {
        { "firmware", "uefi" }, { "firmware", "efi" }, { "bootpartition", "false" }, { "overlayroot", "false" }, { "eficsm", "false" }, { "initrd_system", "dracut" }, { "installiso", "false" },
        { "installpxe", "false" }, { "primary", "true" }, { "compressed", "true" },
};

static const char *format_of(Mapper *m, const AshKiwiElement *e, const char *otherwise) {
        AshSlice format = ash_kiwi_attribute(e, "format");
        for (size_t i = 0; i < ASH_N(disk_formats); i++)
                if (is(format, disk_formats[i].kiwi))
                        return disk_formats[i].format;
        if (format.len)
                note(m, e, "format=\"%.*s\"", ASH_F(format));
        return otherwise;
}

static void take_type_attribute(Mapper *m, const AshKiwiElement *e, const AshKiwiAttribute *a) {
        AshSlice rest = a->value, word;
        for (size_t i = 0; i < ASH_N(as_we_do); i++)
                if (is(a->name, as_we_do[i].name) && is(a->value, as_we_do[i].value))
                        return;
        if (is(a->name, "image") || is(a->name, "format"))
                return;
        if (is(a->name, "kernelcmdline"))
                while (ash_slice_next_word(&rest, &word))
                        ash_array_push(&m->cmdline, text_of(word));
        else if (is(a->name, "filesystem"))
                m->root.filesystem = text_of(a->value);
        else if (is(a->name, "rootfs_label"))
                m->root.label = text_of(a->value);
        else if (is(a->name, "efipartsize"))
                m->esp.size = printed(m, a->value, "M");
        else
                note(m, e, "attribute %.*s=\"%.*s\" of <type>", ASH_F(a->name), ASH_F(a->value));
}

static void take_type(Mapper *m, const AshKiwiElement *e) {
        AshSlice image = ash_kiwi_attribute(e, "image");
        size_t i = 0;
        while (i < ASH_N(types) && !is(image, types[i].kiwi))
                i++;
        if (i == ASH_N(types)) {
                note(m, e, "type image=\"%.*s\"", ASH_F(image));
                return;
        }
        bool disk = !strcmp(types[i].kind, "disk");
        m->disk |= disk;
        m->k->image.kind = text_of(ash_slice_str(types[i].kind));
        ash_array_push(&m->formats, text_of(ash_slice_str(disk ? format_of(m, e, types[i].format) : types[i].format)));
        for (size_t k = 0; k < e->n_attributes; k++)
                take_type_attribute(m, e, &e->attributes[k]);
}

static void take_size(Mapper *m, const AshKiwiElement *e) {
        AshSlice unit = ash_kiwi_attribute(e, "unit"), additive = ash_kiwi_attribute(e, "additive");
        if (is(additive, "true"))
                note(m, e, "additive size");
        else
                m->k->image.size = printed(m, e->text, is(unit, "G") ? "G" : "M");
}

static void take_bootloader(Mapper *m, const AshKiwiElement *e) {
        AshSlice name = ash_kiwi_attribute(e, "name");
        if (is(name, "systemd_boot"))
                m->k->image.boot_loader = text_of(ASH_S("systemd-boot"));
        else
                note(m, e, "boot loader %.*s (systemd-boot is what we have)", ASH_F(name));
}

static void take_resize(Mapper *m, const AshKiwiElement *e) {
        if (!is(e->text, "false"))
                note(m, e, "oem-resize");
}

/* ---- containers ---- */
static void take_container(Mapper *m, const AshKiwiElement *e) {
        AshImageOci *oci = &m->k->image.oci;
        AshSlice names = ash_kiwi_attribute(e, "additionalnames"), name, tag = ash_kiwi_attribute(e, "tag"), maintainer = ash_kiwi_attribute(e, "maintainer");
        oci->user = text_of(ash_kiwi_attribute(e, "user"));
        oci->working_directory = text_of(ash_kiwi_attribute(e, "workingdir"));
        m->k->reference = ash_kiwi_attribute(e, "name");
        if (tag.len)
                ash_array_push(&m->tags, text_of(tag));
        while (ash_slice_split(&names, ',', &name)) {
                if (name.len > 1 && name.ptr[0] == ':')
                        ash_array_push(&m->tags, text_of(ash_slice_from(name, 1)));
                else if (name.len)
                        note(m, e, "further name %.*s", ASH_F(name));
        }
        if (maintainer.len)
                ash_array_push(&m->labels, ((AshPair){ .key = text_of(ASH_S("maintainer")), .value = text_of(maintainer) }));
}
#define COMMAND(list)                                                                      \
        do {                                                                               \
                AshSlice execute = ash_kiwi_attribute(e, "execute");                       \
                if (execute.len)                                                           \
                        ash_array_push(&m->list, text_of(execute));                        \
                for (size_t i = 0; i < e->n_children; i++)                                 \
                        if (is(e->children[i]->name, "argument"))                          \
                                ash_array_push(&m->list, text_of(ash_kiwi_attribute(e->children[i], "name"))); \
        } while (0)
static void take_subcommand(Mapper *m, const AshKiwiElement *e) { COMMAND(command); }
static void take_entrypoint(Mapper *m, const AshKiwiElement *e) { COMMAND(entrypoint); }
static void take_port(Mapper *m, const AshKiwiElement *e) { ash_array_push(&m->ports, text_of(ash_kiwi_attribute(e, "number"))); }
static void take_volume(Mapper *m, const AshKiwiElement *e) { ash_array_push(&m->volumes, text_of(ash_kiwi_attribute(e, "name"))); }
static void take_env(Mapper *m, const AshKiwiElement *e) {
        ash_array_push(&m->environment, ((AshPair){ .key = text_of(ash_kiwi_attribute(e, "name")), .value = text_of(ash_kiwi_attribute(e, "value")) }));
}
static void take_label(Mapper *m, const AshKiwiElement *e) {
        ash_array_push(&m->labels, ((AshPair){ .key = text_of(ash_kiwi_attribute(e, "name")), .value = text_of(ash_kiwi_attribute(e, "value")) }));
}

/* ---- packages, users ---- */
static void take_packages(Mapper *m, const AshKiwiElement *e) {
        m->packages_type = ash_kiwi_attribute(e, "type");
        if (!is(m->packages_type, "image") && !is(m->packages_type, "bootstrap"))
                note(m, e, "packages of type %.*s", ASH_F(m->packages_type));
}
static void add_once(Mapper *m, AshSlice name) {
        ash_array_foreach(&m->packages, p)
                if (ash_slice_eq(p->s, name))
                        return;
        ash_array_push(&m->packages, text_of(name));
}
/* What the bootstrap installs stays in the image: kiwi takes nothing away again. */
static void take_package(Mapper *m, const AshKiwiElement *e) {
        if (is(m->packages_type, "image") || is(m->packages_type, "bootstrap"))
                add_once(m, ash_kiwi_attribute(e, "name"));
}
static void take_ignore(Mapper *m, const AshKiwiElement *e) { ash_array_push(&m->excluded, text_of(ash_kiwi_attribute(e, "name"))); }

static void take_user(Mapper *m, const AshKiwiElement *e) {
        AshSlice format = ash_kiwi_attribute(e, "pwdformat"), password = ash_kiwi_attribute(e, "password"), id = ash_kiwi_attribute(e, "id"), groups = ash_kiwi_attribute(e, "groups"), group;
        AshImageUser user = { .name = text_of(ash_kiwi_attribute(e, "name")), .home = text_of(ash_kiwi_attribute(e, "home")), .shell = text_of(ash_kiwi_attribute(e, "shell")),
                              .comment = text_of(ash_kiwi_attribute(e, "realname")) };
        ASH_ARRAY(AshText) list = {};
        uint64_t uid;
        if (password.len && is(format, "plain"))
                note(m, e, "the password of %.*s in clear text: a hash is needed", ASH_F(user.name.s));
        else if (password.len)
                user.password_hash = text_of(password);
        if (id.len && ash_slice_to_u64(id, 10, &uid) >= 0)
                user.uid = (AshNumber){ .set = true, .value = (int64_t) uid };
        while (ash_slice_split(&groups, ',', &group))
                if (group.len)
                        ash_array_push(&list, text_of(ash_slice_trim(group)));
        user.groups.items = ash_arena_new_items(m->arena, AshText, list.n + 1);
        if (list.n)
                memcpy(user.groups.items, list.items, list.n * sizeof *list.items);
        user.groups.n = list.n;
        ash_array_done(&list);
        ash_array_push(&m->users, user);
}

static void take_source(Mapper *m, const AshKiwiElement *e) { note(m, e, "repository %.*s: packages come from the project's upstreams", ASH_F(ash_kiwi_attribute(e, "path"))); }

static const Row rows[] = {
        /* path                                                  attributes                                    */
        { "image",                                               "*", NULL },
        { "image/description",                                   "*", NULL },
        { "image/description/author",                            "*", NULL },
        { "image/description/contact",                           "*", NULL },
        { "image/description/specification",                     "*", take_description },
        { "image/profiles",                                      "*", NULL },
        { "image/profiles/profile",                              "*", NULL },
        { "image/profiles/profile/requires",                     "*", NULL },
        { "image/preferences",                                   " profiles arch ", NULL },
        { "image/preferences/version",                           "*", NULL },
        { "image/preferences/packagemanager",                    "*", NULL },
        { "image/preferences/release-version",                   "*", NULL },
        { "image/preferences/rpm-check-signatures",              "*", NULL },
        { "image/preferences/rpm-excludedocs",                   "", take_excludedocs },
        { "image/preferences/locale",                            "", take_locale },
        { "image/preferences/keytable",                          "", take_keytable },
        { "image/preferences/timezone",                          "", take_timezone },
        { "image/preferences/type",                              "*", take_type },
        { "image/preferences/type/size",                         " unit additive ", take_size },
        { "image/preferences/type/bootloader",                   " name ", take_bootloader },
        { "image/preferences/type/oemconfig",                    "", NULL },
        { "image/preferences/type/oemconfig/oem-resize",         "", take_resize },
        { "image/preferences/type/containerconfig",              " name tag additionalnames user workingdir maintainer ", take_container },
        { "image/preferences/type/containerconfig/subcommand",   " execute clear ", take_subcommand },
        { "image/preferences/type/containerconfig/subcommand/argument", " name ", NULL },
        { "image/preferences/type/containerconfig/entrypoint",   " execute clear ", take_entrypoint },
        { "image/preferences/type/containerconfig/entrypoint/argument", " name ", NULL },
        { "image/preferences/type/containerconfig/expose",       "", NULL },
        { "image/preferences/type/containerconfig/expose/port",  " number ", take_port },
        { "image/preferences/type/containerconfig/volumes",      "", NULL },
        { "image/preferences/type/containerconfig/volumes/volume", " name ", take_volume },
        { "image/preferences/type/containerconfig/environment",  "", NULL },
        { "image/preferences/type/containerconfig/environment/env", " name value ", take_env },
        { "image/preferences/type/containerconfig/labels",       "", NULL },
        { "image/preferences/type/containerconfig/labels/label", " name value ", take_label },
        { "image/users",                                         " profiles arch ", NULL },
        { "image/users/user",                                    " name password pwdformat id home shell groups realname ", take_user },
        { "image/repository",                                    "*", NULL },
        { "image/repository/source",                             "*", take_source },
        { "image/packages",                                      " type profiles arch ", take_packages },
        { "image/packages/package",                              " name arch ", take_package },
        { "image/packages/ignore",                               " name arch ", take_ignore },
};

/* ---- the walk ---- */
static bool applies(const Mapper *m, const AshKiwiElement *e) {
        AshSlice profiles = ash_kiwi_attribute(e, "profiles"), arch = ash_kiwi_attribute(e, "arch"), profile;
        bool wanted = !profiles.len;
        while (ash_slice_split(&profiles, ',', &profile))
                ash_array_foreach(&m->profiles, p)
                        wanted |= ash_slice_eq(*p, ash_slice_trim(profile));
        return wanted && (!arch.len || in_list(arch, m->arch));
}

static void walk(Mapper *m, const AshKiwiElement *e, const char *path) {
        const Row *row = NULL;
        if (!applies(m, e))
                return;
        for (size_t i = 0; i < ASH_N(rows); i++)
                row = !strcmp(rows[i].path, path) ? &rows[i] : row;
        if (!row) {
                note(m, e, "<%.*s>", ASH_F(e->name));
                return;
        }
        for (size_t i = 0; i < e->n_attributes && strcmp(row->attributes, "*"); i++) {
                _free_ char *word = ash_asprintf(" %.*s ", ASH_F(e->attributes[i].name));
                if (!strstr(row->attributes, word))
                        note(m, e, "attribute %.*s=\"%.*s\" of <%.*s>", ASH_F(e->attributes[i].name), ASH_F(e->attributes[i].value), ASH_F(e->name));
        }
        if (row->take)
                row->take(m, e);
        for (size_t i = 0; i < e->n_children; i++) {
                _free_ char *below = ash_asprintf("%s/%.*s", path, ASH_F(e->children[i]->name));
                walk(m, e->children[i], below);
        }
}

/* ---- profiles ---- */
static const AshKiwiElement *profile_named(const AshKiwiElement *root, AshSlice name) {
        for (size_t i = 0; i < root->n_children; i++)
                for (size_t k = 0; is(root->children[i]->name, "profiles") && k < root->children[i]->n_children; k++)
                        if (ash_slice_eq(ash_kiwi_attribute(root->children[i]->children[k], "name"), name))
                                return root->children[i]->children[k];
        return NULL;
}

static void add_profile(Mapper *m, const AshKiwiElement *root, AshSlice name) {
        const AshKiwiElement *profile = profile_named(root, name);
        ash_array_foreach(&m->profiles, p)
                if (ash_slice_eq(*p, name))
                        return;
        ash_array_push(&m->profiles, name);
        for (size_t i = 0; profile && i < profile->n_children; i++)
                if (is(profile->children[i]->name, "requires"))
                        add_profile(m, root, ash_kiwi_attribute(profile->children[i], "profile"));
}

/* The named one, else those that are on by themselves. */
static int choose_profiles(Mapper *m, const AshKiwiElement *root, AshText name, AshDiags *diags) {
        if (ash_text_set(name) && name.s.len) {
                if (!profile_named(root, name.s))
                        return ash_fail(diags, -ASH_ERR_CONFIG, name.at, "%s has no profile '%.*s'", m->k->file, ASH_F(name.s));
                add_profile(m, root, name.s);
                return 0;
        }
        for (size_t i = 0; i < root->n_children; i++)
                for (size_t k = 0; is(root->children[i]->name, "profiles") && k < root->children[i]->n_children; k++)
                        if (is(ash_kiwi_attribute(root->children[i]->children[k], "import"), "true"))
                                add_profile(m, root, ash_kiwi_attribute(root->children[i]->children[k], "name"));
        return 0;
}

/* ---- the whole ---- */
#define TAKE(to, from)                                                                          \
        do {                                                                                    \
                (to).n = (from).n;                                                              \
                (to).items = ash_arena_alloc(m->arena, ((from).n + 1) * sizeof *(from).items);  \
                if ((from).n)                                                                   \
                        memcpy((to).items, (from).items, (from).n * sizeof *(from).items);      \
                ash_array_done(&(from));                                                        \
        } while (0)

static void finish(Mapper *m) {
        AshImage *image = &m->k->image;
        TAKE(image->packages, m->packages);
        TAKE(image->exclude_packages, m->excluded);
        TAKE(image->formats, m->formats);
        TAKE(image->kernel_command_line, m->cmdline);
        TAKE(image->oci.tags, m->tags);
        TAKE(image->oci.command, m->command);
        TAKE(image->oci.entrypoint, m->entrypoint);
        TAKE(image->oci.exposed_ports, m->ports);
        TAKE(image->oci.volumes, m->volumes);
        TAKE(image->oci.environment, m->environment);
        TAKE(image->oci.labels, m->labels);
        TAKE(image->users, m->users);
        if (m->disk) {
                image->partitions.items = ash_arena_new_items(m->arena, AshImagePartition, 2);
                image->partitions.n = 2;
                m->esp.type = text_of(ASH_S("esp"));
                m->root.type = text_of(ASH_S("root"));
                image->partitions.items[0] = m->esp;
                image->partitions.items[1] = m->root;
        }
        ash_array_done(&m->profiles);
}

/* What kiwi runs besides: scripts by their names in the description's directory, and the overlay tree. */
static void note_scripts(Mapper *m) {
        static const char *const names[] = { "config.sh", "images.sh", "post_bootstrap.sh", "pre_disk_sync.sh", "disk.sh", "config-overlay.sh", "config-host-overlay.sh", "root", "root.tar.gz" };
        AshSlice dir = ash_path_dir(ash_slice_str(m->k->file));
        for (size_t i = 0; i < ASH_N(names); i++) {
                _free_ char *path = ash_asprintf("%.*s/%s", ASH_F(dir), names[i]);
                if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        ash_array_push(&m->k->notes, ((AshFlowKiwiNote){ 0, ash_slice_str(ash_arena_printf(m->arena, "%s beside it is not used", names[i])) }));
        }
}

void ash_flow_kiwi_free(AshFlowKiwi *k) {
        if (!k)
                return;
        ash_array_done(&k->notes);
        ash_arena_free(k->arena);
        free(k);
}

int ash_flow_kiwi(AshFlow *flow, const AshImage *image, AshSlice arch, AshFlowKiwi **ret) {
        _cleanup_(ash_flow_kiwi_free_p) AshFlowKiwi *k = ash_calloc(1, sizeof *k);
        _bytes_ AshBytes bytes = {};
        AshKiwiElement *root = NULL;
        k->arena = ash_arena_new();
        k->image = (AshImage){ .name = image->name, .description = image->description };
        k->file = ash_arena_strndup(k->arena, image->definition_path.s.ptr, image->definition_path.s.len);
        k->profile = image->definition_profile.s;
        Mapper m = { .k = k, .arena = k->arena, .arch = arch };
        int r = ash_file_read(AT_FDCWD, k->file, 8 << 20, &bytes);
        if (r < 0)
                return ash_fail(flow->diags, r, image->definition_path.at, "cannot read '%s': %s", k->file, ash_strerror(r));
        r = ash_kiwi_read(ash_bytes_slice(&bytes), k->file, k->arena, &root, flow->diags);
        if (r >= 0)
                r = choose_profiles(&m, root, image->definition_profile, flow->diags);
        if (r >= 0) {
                walk(&m, root, "image");
                note_scripts(&m);
        }
        finish(&m);
        if (r < 0)
                return r;
        *ret = ASH_TAKE(k);
        return 0;
}
