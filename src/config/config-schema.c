#include "config-schema.h"
#include "config-forms.h"
#include "config-rules.h"

/* ---- rows, written short ---- */
#define O(type, member) offsetof(type, member)
#define TEXT(key, type, member, doc, ...) { key, ASH_FIELD_TEXT, 0, O(type, member), doc, ##__VA_ARGS__ }
#define TEXT_(key, flags, type, member, doc, ...) { key, ASH_FIELD_TEXT, flags, O(type, member), doc, ##__VA_ARGS__ }
#define PATH_(key, flags, type, member, doc, ...) { key, ASH_FIELD_PATH, flags, O(type, member), doc, ##__VA_ARGS__ }
#define TEXTS_(key, flags, type, member, doc, ...) { key, ASH_FIELD_TEXTS, flags, O(type, member), doc, ##__VA_ARGS__ }
#define PATHS_(key, flags, type, member, doc, ...) { key, ASH_FIELD_PATHS, flags, O(type, member), doc, ##__VA_ARGS__ }
#define FLAG_(key, flags, type, member, doc, ...) { key, ASH_FIELD_FLAG, flags, O(type, member), doc, ##__VA_ARGS__ }
#define NUMBER_(key, flags, type, member, doc, ...) { key, ASH_FIELD_NUMBER, flags, O(type, member), doc, ##__VA_ARGS__ }
#define PAIRS_(key, flags, type, member, doc, ...) { key, ASH_FIELD_PAIRS, flags, O(type, member), doc, ##__VA_ARGS__ }
#define TABLE_(key, flags, offset, rec, doc, ...) { key, ASH_FIELD_TABLE, flags, offset, doc, .record = &rec, ##__VA_ARGS__ }
#define TABLES_(key, flags, type, member, rec, doc, ...) { key, ASH_FIELD_TABLES, flags, O(type, member), doc, .record = &rec, ##__VA_ARGS__ }
#define NAMED_(key, flags, type, member, rec, doc, ...) { key, ASH_FIELD_NAMED, flags, O(type, member), doc, .record = &rec, ##__VA_ARGS__ }
#define WORDS(...) .values = (const char *const[]){ __VA_ARGS__, NULL }
#define FORM(name) .form = &ash_form_##name
#define REF(what) .ref = ASH_REF_##what
#define ROWS(...) (const AshField[]){ __VA_ARGS__, {} }
enum { REQ = ASH_FIELD_REQUIRED, OWN = ASH_FIELD_ASHLAR, OLD = ASH_FIELD_OLD, REPLACE = ASH_FIELD_REPLACE, APPEND = ASH_FIELD_APPEND, UNIQUE = ASH_FIELD_UNIQUE,
       DEEP = ASH_FIELD_DEEP, DOCS = ASH_FIELD_DOCS_ONLY };

/* ---- small shared tables ---- */
static const AshRecord url_ref = { "url-ref", "A reference to something outside", sizeof(AshText), ROWS({ "url", ASH_FIELD_TEXT, REQ, 0, "where it is", FORM(url) }) };

const AshRecord ash_record_distro_ref = { "distro-ref", "A version of a distribution", sizeof(AshDistroRef), ROWS(
        TEXT_("name", REQ, AshDistroRef, name, "the distribution", REF(DISTRO)),
        TEXT("version", AshDistroRef, version, "the version", .standard = "the distribution's `default-version`"),
        TEXT("snapshot", AshDistroRef, snapshot, "take the sources as they stood at this time; belongs into a default-component-config, not into a single component", FORM(date_time))) };

static const AshRecord component_publish = { "component-publish", "Where a component's packages are published", sizeof(AshPublish), ROWS(
        TEXT("rpm-channel", AshPublish, rpm_channel, "channel of its binary packages; `none` publishes nothing", FORM(channel), REF(CHANNEL)),
        TEXT("srpm-channel", AshPublish, srpm_channel, "channel of its source package", FORM(channel), REF(CHANNEL)),
        TEXT("debuginfo-channel", AshPublish, debuginfo_channel, "channel of its debuginfo packages", FORM(channel), REF(CHANNEL))) };

static const AshRecord package_publish = { "package-publish", "Where a binary package is published", sizeof(AshPublish), ROWS(
        TEXT("rpm-channel", AshPublish, rpm_channel, "its channel; `none` publishes nothing", FORM(channel), REF(CHANNEL)),
        TEXT("debuginfo-channel", AshPublish, debuginfo_channel, "channel of its debuginfo packages", FORM(channel), REF(CHANNEL)),
        TEXT_("channel", OLD, AshPublish, channel, "the older name of `rpm-channel`, which counts when `rpm-channel` is not set", FORM(channel), REF(CHANNEL))) };

static const AshRecord package_config = { "package-config", "Settings of a binary package", sizeof(AshPublish), ROWS(
        TABLE_("publish", 0, 0, package_publish, "where it is published")) };

/* ---- overlays ---- */
static const AshRecord overlay_metadata = { "overlay-metadata", "Why an overlay exists and when it can go; never part of a fingerprint", sizeof(AshOverlay), ROWS(
        TEXT_("category", REQ | DOCS, AshOverlay, category, "its intent", WORDS("upstream-backport", "azl-pruning", "azl-compatibility", "azl-temp-workaround", "azl-branding-policy",
                "azl-disable-flaky-tests", "azl-disable-unsupported-tests", "azl-security-compliance", "azl-release-management", "azl-platform-adaptation")),
        TEXT_("upstream-status", REQ | DOCS, AshOverlay, upstream_status, "where it stands upstream", WORDS("upstreamed", "upstreamable", "needs-upstream-hook", "inapplicable", "unknown")),
        TABLES_("commits", DOCS, AshOverlay, commits, url_ref, "upstream commits that it takes from or refers to; an `upstream-backport` needs one"),
        TABLES_("bugs", DOCS, AshOverlay, bugs, url_ref, "reports about it"),
        TEXT_("since", OWN | DOCS, AshOverlay, since, "when it was made, for its age in `deviations`", FORM(date))),
        .rule = ash_rule_overlay_metadata, .schema_rules = ash_schema_overlay_metadata };

static const AshRecord overlay = { "overlay", "One declared deviation from upstream", sizeof(AshOverlay), ROWS(
        TEXT_("type", REQ, AshOverlay, type_text, "what it does", WORDS("spec-add-tag", "spec-insert-tag", "spec-set-tag", "spec-update-tag", "spec-remove-tag", "spec-prepend-lines",
                "spec-append-lines", "spec-search-replace", "spec-remove-section", "spec-remove-subpackage", "patch-add", "patch-remove", "file-prepend-lines", "file-search-replace",
                "file-add", "file-remove", "file-rename")),
        TEXT_("description", DOCS, AshOverlay, description, "why it is needed"),
        TEXT("file", AshOverlay, file, "the file beside the spec that it changes, relative to the spec's directory; a glob where several may match"),
        TEXT("section", AshOverlay, section, "the section of the spec, such as `%build`", .standard = "the preamble"),
        TEXT("package", AshOverlay, package, "the subpackage", .standard = "the main package"),
        TEXT("tag", AshOverlay, tag, "the tag"),
        TEXT("value", AshOverlay, value, "the tag's value, or the exact value to look for"),
        TEXT("regex", AshOverlay, regex, "what to look for"),
        TEXT("replacement", AshOverlay, replacement, "what to put in its place, taken literally; for `file-rename` the new file name"),
        TEXTS_("lines", 0, AshOverlay, lines, "lines of text"),
        { "source", ASH_FIELD_SOURCE, 0, O(AshOverlay, source), "a file to take, relative to the file that declares the overlay" },
        TEXT("archive", AshOverlay, archive, "the source archive inside which `file` is changed"),
        NUMBER_("count", OWN, AshOverlay, declared_count, "strict mode: how many places must match", .standard = "exactly one"),
        TABLE_("metadata", DOCS, 0, overlay_metadata, "its intent and history")),
        .at = O(AshOverlay, at) + 1, .base_dir = O(AshOverlay, base_dir) + 1, .rule = ash_rule_overlay, .schema_rules = ash_schema_overlay };

const AshRecord ash_record_overlay_file = { "overlay-file", "A file of overlays that belong together (`overlay-files`)", sizeof(AshOverlayFile), ROWS(
        TABLE_("metadata", REQ | DOCS, O(AshOverlayFile, stamp), overlay_metadata, "intent and history of all of them"),
        TABLES_("overlays", REQ, AshOverlayFile, overlays, overlay, "the overlays, in order")),
        .rule = ash_rule_overlay_file };

/* ---- components ---- */
static const AshRecord spec_source = { "spec-source", "Where a component's spec comes from", sizeof(AshSpecSource), ROWS(
        TEXT_("type", REQ, AshSpecSource, type, "`local`: a file of this project; `upstream`: another distribution's dist-git", WORDS("local", "upstream", "")),
        PATH_("path", 0, AshSpecSource, path, "the spec file, for `local`"),
        TABLE_("upstream-distro", 0, O(AshSpecSource, distro), ash_record_distro_ref, "whose spec, for `upstream`"),
        TEXT("upstream-name", AshSpecSource, upstream_name, "its name there", .standard = "the component's name"),
        TEXT("upstream-commit", AshSpecSource, upstream_commit, "the commit to take; goes before a snapshot", FORM(commit)),
        TEXTS_("source-upstreams", OWN | REPLACE, AshSpecSource, source_upstreams, "upstreams of type `apt` whose source archive has the sources, under whatever name: found by their digest", REF(UPSTREAM), .standard = "the distribution's"),
        FLAG_("allow-missing-signatures", OWN, AshSpecSource, allow_missing_signatures, "a detached signature that cannot be had, or its keys, are left out: what it signs is checked by its digest", .standard = "the distribution's")),
        .rule = ash_rule_spec, .schema_rules = ash_schema_spec };

static const AshRecord release = { "release", "How the Release tag is made", sizeof(AshComponentConfig), ROWS(
        TEXT("calculation", AshComponentConfig, release, "`auto` finds out, `autorelease` leaves %autorelease alone, `static` counts up a number, `manual` touches nothing",
                WORDS("auto", "autorelease", "static", "manual", ""), .standard = "auto")) };

static const AshRecord check = { "build-check", "The %check section", sizeof(AshComponentConfig), ROWS(
        FLAG_("skip", 0, AshComponentConfig, check_skip, "leave the tests out"),
        TEXT_("skip_reason", DOCS, AshComponentConfig, check_skip_reason, "why; required with `skip`")),
        .rule = ash_rule_check, .schema_rules = ash_schema_check };
static const AshRecord failure = { "build-failure", "A build that is known to fail", sizeof(AshComponentConfig), ROWS(
        FLAG_("expected", DOCS, AshComponentConfig, failure_expected, "this component is expected to fail"),
        TEXT_("expected-reason", DOCS, AshComponentConfig, failure_reason, "why; required with `expected`")),
        .rule = ash_rule_failure, .schema_rules = ash_schema_failure };
static const AshRecord hints = { "build-hints", "Advice for scheduling", sizeof(AshComponentConfig), ROWS(
        FLAG_("expensive", DOCS, AshComponentConfig, expensive, "building it takes long")) };
static const AshRecord build = { "build", "How a component is built", sizeof(AshComponentConfig), ROWS(
        TEXTS_("with", 0, AshComponentConfig, with, "build conditions to switch on"),
        TEXTS_("without", 0, AshComponentConfig, without, "build conditions to switch off"),
        PAIRS_("defines", 0, AshComponentConfig, defines, "macros to define"),
        TEXTS_("undefines", 0, AshComponentConfig, undefines, "entries of `defines` to drop again; rpm's own macros are not touched"),
        FLAG_("emit-upstream-provenance", 0, AshComponentConfig, provenance, "define macros with the upstream version and release, for SBAT"),
        TABLE_("check", 0, 0, check, "the %check section"),
        TABLE_("failure", 0, 0, failure, "expected failure"),
        TABLE_("hints", 0, 0, hints, "advice for scheduling"),
        TEXT_("stage", OWN, AshComponentConfig, build_stage, "one of `build.stages`: it is built in that stage's buildroot", .standard = "the buildroot of `build`", REF(STAGE)),
        FLAG_("network", OWN, AshComponentConfig, build_network, "its build may use the network"),
        TEXT_("network-reason", OWN | DOCS, AshComponentConfig, network_reason, "why; required with `network`"),
        NUMBER_("timeout", OWN, AshComponentConfig, build_timeout, "seconds that its build may take", .standard = "`build.timeout`"),
        TEXT_("memory", OWN, AshComponentConfig, build_memory, "memory that all processes of its build may take together, beside its files", FORM(bytes), .standard = "`build.memory`"),
        TEXT_("disk", OWN, AshComponentConfig, build_disk, "what all files of its build may take, wherever they are", FORM(bytes), .standard = "`build.disk`")),
        .rule = ash_rule_build, .schema_rules = ash_schema_build };
static const AshRecord render = { "render", "How a component is rendered", sizeof(AshComponentConfig), ROWS(
        FLAG_("skip-file-filter", 0, AshComponentConfig, skip_file_filter, "keep files that no Source or Patch names (for specs whose names hold macros that cannot be expanded)")) };

static const AshRecord mock_input = { "origin", "How a source file is had", sizeof(AshSourceFile), ROWS(
        TEXT_("type", REQ, AshSourceFile, origin_type, "`download`: from a URI; `custom`: made by a script; `overlay`: an archive that overlays changed; `apt-source` (Ashlar's): from the source archive of an upstream of type `apt`, found by its digest", WORDS("download", "custom", "overlay", "apt-source")),
        TEXT("uri", AshSourceFile, origin_uri, "where to get it, for `download`", FORM(source_uri)),
        { "script", ASH_FIELD_SOURCE, 0, O(AshSourceFile, origin_script), "the script, for `custom`" },
        TEXT_("upstream", OWN, AshSourceFile, origin_upstream, "which upstream, for `apt-source`", REF(UPSTREAM)),
        TEXT_("source-package", OWN, AshSourceFile, origin_package, "which of its source packages to try first, for `apt-source`", .standard = "the component's name"),
        TEXTS_("mock-packages", 0, AshSourceFile, mock_packages, "packages that the script needs, for `custom`"),
        TEXTS_("inputs", 0, AshSourceFile, inputs, "source files that the script reads, for `custom`")),
        .rule = ash_rule_origin, .schema_rules = ash_schema_origin };
static const AshRecord source_file = { "source-file", "A source that upstream's `sources` does not have", sizeof(AshSourceFile), ROWS(
        TEXT_("filename", REQ, AshSourceFile, filename, "its name beside the spec", FORM(basename)),
        TEXT("hash", AshSourceFile, hash, "its digest in hexadecimal"),
        TEXT("hash-type", AshSourceFile, hash_type, "the kind of digest", WORDS("SHA256", "SHA512", "")),
        TABLE_("origin", 0, 0, mock_input, "how it is had", .standard = "from the lookaside cache"),
        FLAG_("replace-upstream", 0, AshSourceFile, replace_upstream, "takes the place of an upstream source of the same name, which must exist"),
        TEXT_("replace-reason", DOCS, AshSourceFile, replace_reason, "why; required with `replace-upstream`")),
        .at = O(AshSourceFile, at) + 1, .base_dir = O(AshSourceFile, base_dir) + 1, .rule = ash_rule_source_file, .schema_rules = ash_schema_source_file };

const AshRecord ash_record_component_config = { "component-config", "A source package: its spec, its sources and our overlays. The same keys may stand in every `default-component-config`", sizeof(AshComponentConfig), ROWS(
        TABLE_("spec", 0, O(AshComponentConfig, spec), spec_source, "where the spec comes from"),
        TABLE_("release", 0, 0, release, "how the Release tag is made"),
        TABLES_("overlays", 0, AshComponentConfig, overlays, overlay, "deviations, in order"),
        PATHS_("overlay-files", REPLACE | ASH_FIELD_OF_COMPONENT, AshComponentConfig, overlay_files, "globs of files with further overlays, which come behind the inline ones, by file name; `{component}` stands for the component's name", FORM(glob)),
        TABLE_("build", 0, 0, build, "how it is built"),
        TABLE_("render", 0, 0, render, "how it is rendered"),
        TABLES_("source-files", 0, AshComponentConfig, source_files, source_file, "further sources"),
        NAMED_("packages", 0, AshComponentConfig, packages, package_config, "settings of single binary packages, by exact name", .data = O(AshPackageConfig, publish), .item_size = sizeof(AshPackageConfig)),
        TABLE_("publish", 0, O(AshComponentConfig, publish), component_publish, "where its packages are published")) };

static const AshRecord component_group = { "component-group", "Components that share settings; a component may be in several", sizeof(AshComponentGroup), ROWS(
        TEXT_("description", DOCS, AshComponentGroup, description, "what it is"),
        PAIRS_("metadata", DOCS, AshComponentGroup, metadata, "free facts"),
        TEXTS_("components", 0, AshComponentGroup, components, "its members", REF(COMPONENT)),
        PATHS_("specs", 0, AshComponentGroup, specs, "globs of local specs that are members", FORM(glob)),
        PATHS_("excluded-paths", 0, AshComponentGroup, excluded_paths, "globs of files that `specs` shall not find", FORM(glob)),
        TABLE_("default-component-config", 0, O(AshComponentGroup, defaults), ash_record_component_config, "what its members inherit")) };

static const AshRecord package_group = { "package-group", "Binary packages that share settings", sizeof(AshPackageGroup), ROWS(
        TEXT_("description", DOCS, AshPackageGroup, description, "what it is"),
        TEXTS_("packages", 0, AshPackageGroup, packages, "its members"),
        TABLE_("default-package-config", 0, O(AshPackageGroup, publish), package_config, "what its members inherit")) };

/* ---- distributions ---- */
static const AshRecord repo_uri = { "package-repository", "A published repository", sizeof(AshText), ROWS({ "base-uri", ASH_FIELD_TEXT, REQ, 0, "its base URI", FORM(repo_url) }) };
static const AshRecord repo_ref = { "repo-ref", "A repository or a set of repositories", sizeof(AshRepoRef), ROWS(
        TEXT("repo", AshRepoRef, repo, "one of `resources.rpm-repos`", REF(REPO)),
        TEXT("set", AshRepoRef, set, "one of `resources.rpm-repo-sets`", REF(REPO_SET))),
        .at = O(AshRepoRef, at) + 1, .rule = ash_rule_repo_ref };
static const AshRecord inputs = { "distro-inputs", "Repositories that builds may take from", sizeof(AshDistroVersion), ROWS(
        TABLES_("rpm-build", ASH_FIELD_OR_STRING, AshDistroVersion, rpm_build, repo_ref, "for packages"),
        TABLES_("image-build", ASH_FIELD_OR_STRING, AshDistroVersion, image_build, repo_ref, "for images")) };
static const AshRecord identity = { "identity", "What /usr/lib/os-release says; see os-release(5)", sizeof(AshIdentity), ROWS(
        TEXT_("id", REQ | OWN, AshIdentity, id, "ID"),
        TEXT_("name", OWN, AshIdentity, name, "NAME"),
        TEXT_("pretty-name", OWN, AshIdentity, pretty_name, "PRETTY_NAME"),
        TEXTS_("id-like", OWN, AshIdentity, id_like, "ID_LIKE, nearest first"),
        TEXT_("version-id", OWN, AshIdentity, version_id, "VERSION_ID", .standard = "`release-ver`"),
        TEXT_("version-codename", OWN, AshIdentity, version_codename, "VERSION_CODENAME"),
        TEXT_("cpe-name", OWN, AshIdentity, cpe_name, "CPE_NAME"),
        TEXT_("ansi-color", OWN, AshIdentity, ansi_color, "ANSI_COLOR"),
        TEXT_("logo", OWN, AshIdentity, logo, "LOGO"),
        TEXT_("vendor-name", OWN, AshIdentity, vendor_name, "VENDOR_NAME"),
        TEXT_("vendor-url", OWN, AshIdentity, vendor_url, "VENDOR_URL", FORM(url)),
        TEXT_("home-url", OWN, AshIdentity, home_url, "HOME_URL", FORM(url)),
        TEXT_("documentation-url", OWN, AshIdentity, documentation_url, "DOCUMENTATION_URL", FORM(url)),
        TEXT_("support-url", OWN, AshIdentity, support_url, "SUPPORT_URL", FORM(url)),
        TEXT_("bug-report-url", OWN, AshIdentity, bug_report_url, "BUG_REPORT_URL", FORM(url)),
        TEXT_("support-end", OWN, AshIdentity, support_end, "SUPPORT_END", FORM(date))) };
static const AshRecord distro_version = { "distro-version", "A version of a distribution", sizeof(AshDistroVersion), ROWS(
        TEXT_("description", DOCS, AshDistroVersion, description, "what it is"),
        TEXT_("release-ver", REQ, AshDistroVersion, release_ver, "its releasever"),
        TEXT("dist-git-branch", AshDistroVersion, dist_git_branch, "the branch of its dist-git repositories"),
        TABLE_("default-component-config", 0, O(AshDistroVersion, defaults), ash_record_component_config, "what all components built for it inherit"),
        PATH_("mock-config", 0, AshDistroVersion, mock_config, "its mock configuration"),
        PATH_("mock-config-x86_64", 0, AshDistroVersion, mock_config_x86_64, "the same for x86_64"),
        PATH_("mock-config-aarch64", 0, AshDistroVersion, mock_config_aarch64, "the same for aarch64"),
        TABLE_("inputs", 0, 0, inputs, "repositories that its builds may take from"),
        TABLE_("identity", OWN, O(AshDistroVersion, identity), identity, "what os-release says")) };
static const AshRecord distro = { "distro", "A distribution: what is built, or where specs come from", sizeof(AshDistro), ROWS(
        TEXT_("description", DOCS, AshDistro, description, "what it is"),
        TEXT("default-version", AshDistro, default_version, "the version that is meant when none is said"),
        TEXT("dist-git-base-uri", AshDistro, dist_git_base_uri, "its git repositories of specs; `$pkg` stands for the package", FORM(git_uri)),
        TEXT("lookaside-base-uri", AshDistro, lookaside_base_uri, "its cache of source archives; `$pkg`, `$filename`, `$hashtype` and `$hash` are filled in", FORM(lookaside_uri)),
        TABLES_("repos", 0, AshDistro, repos, repo_uri, "its published repositories"),
        FLAG_("disable-origins", 0, AshDistro, disable_origins, "take sources from the lookaside cache only, never from their origins"),
        TEXTS_("source-upstreams", OWN | REPLACE, AshDistro, source_upstreams, "upstreams of type `apt` whose source archive is searched by digest for the sources of its specs (and of local specs, where it is what components are built for), before the lookaside cache is asked", REF(UPSTREAM)),
        FLAG_("allow-missing-signatures", OWN, AshDistro, allow_missing_signatures, "a detached signature that cannot be had, or its keys, are left out: what it signs is checked by its digest"),
        NAMED_("versions", 0, AshDistro, versions, distro_version, "its versions")) };

/* ---- resources, upstreams, channels ---- */
#define REPO_ROWS(T, prefix) \
        TEXT_("description", DOCS, T, prefix description, "what it is", FORM(line)), \
        TEXT_("type", 0, T, prefix type, "`rpm-md`: an RPM repository; `apt` (Ashlar's): a suite of an apt archive, imported as RPMs; `host` (Ashlar's): the package `ashlar-boot`, made of programs that come with Ashlar; `components` (Ashlar's): what `component build` made", WORDS("rpm-md", "apt", "host", "components", ""), .standard = "rpm-md"), \
        TEXT("base-uri", T, prefix base_uri, "its address; `$basearch`, `$releasever` (`release-ver` of the default distribution) and `$snapshot` (as the upstream says it) are filled in", FORM(upstream_url)), \
        TEXTS_("mirrors", OWN, T, prefix mirrors, "further addresses of the same repository, tried in this order after `base-uri`", FORM(upstream_url)), \
        TEXT_("mirror-list", OWN, T, prefix mirror_list, "address of a list of mirrors, one URL a line, in place of `base-uri`", FORM(upstream_url)), \
        TEXT("metalink", T, prefix metalink, "its metalink, in place of `base-uri`", FORM(upstream_url)), \
        FLAG_("disable-gpg-check", 0, T, prefix disable_gpg_check, "do not check signatures"), \
        FLAG_("disable-ssl-verify", 0, T, prefix disable_ssl_verify, "accepted for azldev; Ashlar always verifies TLS certificates"), \
        PATH_("gpg-key", 0, T, prefix gpg_key, "the key that signs it: a URI, or a path"), \
        TEXTS_("arches", 0, T, prefix architectures, "only for these architectures", .standard = "all"), \
        TEXT_("suite", OWN, T, prefix suite, "the suite, for `apt`; the mirror's address comes from the machine"), \
        TEXTS_("components", OWN, T, prefix components, "the archive's components, for `apt`", .standard = "[\"main\"]"), \
        NUMBER_("priority", OWN, T, prefix priority, "of several repositories with one package the lowest number wins", .standard = "99; of type `components`: 50")
static const AshRecord repo = { "repo", "A repository", sizeof(AshRepo), ROWS(REPO_ROWS(AshRepo, )), .rule = ash_rule_repo };
static const AshRecord subrepo = { "subrepo", "A repository of a layout", sizeof(AshSubrepo), ROWS(
        TEXT_("name", REQ, AshSubrepo, name, "its short name", FORM(repo_name)),
        TEXT_("subpath", REQ, AshSubrepo, subpath, "its path below the set's `base-uri`", FORM(subpath)),
        TEXT("kind", AshSubrepo, kind, "what it carries", WORDS("binary", "debug", "source", ""), .standard = "binary"),
        TEXTS_("publish-channels", 0, AshSubrepo, publish_channels, "channels whose packages stand there")),
        .at = O(AshSubrepo, at) + 1 };
static const AshRecord repo_template = { "repo-set-template", "A layout of repositories below one address", sizeof(AshRepoTemplate), ROWS(
        TEXT_("description", DOCS, AshRepoTemplate, description, "what it is", FORM(line)),
        TABLES_("subrepos", REQ, AshRepoTemplate, subrepos, subrepo, "its repositories")) };
static const AshRecord repo_set = { "repo-set", "A layout at an address: makes one repository for each of the layout's, named `name-prefix` + its name", sizeof(AshRepoSet), ROWS(
        TEXT_("description", DOCS, AshRepoSet, description, "what it is", FORM(line)),
        TEXT_("template", REQ, AshRepoSet, repo_template, "the layout", REF(REPO_TEMPLATE)),
        TEXT_("base-uri", REQ, AshRepoSet, base_uri, "the address", FORM(repo_url)),
        TEXT("name-prefix", AshRepoSet, name_prefix, "what the names begin with"),
        PATH_("gpg-key", 0, AshRepoSet, gpg_key, "the key that signs them: a URI, or a path"),
        FLAG_("disable-gpg-check", 0, AshRepoSet, disable_gpg_check, "do not check signatures"),
        FLAG_("disable-ssl-verify", 0, AshRepoSet, disable_ssl_verify, "accepted for azldev; Ashlar always verifies TLS certificates"),
        TEXTS_("arches", 0, AshRepoSet, architectures, "only for these architectures", .standard = "all"),
        TEXTS_("subrepos", 0, AshRepoSet, subrepos, "only these of the layout", .standard = "all")),
        .rule = ash_rule_repo_set };
static const AshRecord resources = { "resources", "Things that other parts refer to by name", sizeof(AshResources), ROWS(
        NAMED_("rpm-repos", 0, AshResources, repos, repo, "repositories", FORM(repo_name)),
        NAMED_("rpm-repo-set-templates", 0, AshResources, templates, repo_template, "layouts; `azl-standard` and `koji-dist-repo` are built in"),
        NAMED_("rpm-repo-sets", 0, AshResources, sets, repo_set, "layouts at an address")) };

static const AshRecord upstream = { "upstream", "Where packages come from; `--upstream NAME` chooses. Either a repository said here, or the names of several", sizeof(AshUpstream), ROWS(
        REPO_ROWS(AshUpstream, repo.),
        TEXTS_("repos", OWN, AshUpstream, repos, "names of `resources.rpm-repos`", REF(REPO)),
        TEXT_("snapshot", OWN, AshUpstream, snapshot, "take it as it stood at this time, where the server can: fills in `$snapshot` of its addresses, as it is written here", FORM(date_time)),
        PATH_("names", OWN, AshUpstream, names, "a table of further provides for imported packages"),
        PATH_("import-overlays", OWN, AshUpstream, import_overlays, "a table of deviations of imported packages, and of what replaces their maintainer scripts"),
        TEXTS_("import", OWN, AshUpstream, import, "packages to import beside what images and components need"),
        FLAG_("default", OWN, AshUpstream, is_default, "the one that is meant when none is said")),
        .rule = ash_rule_upstream };
static const AshRecord channel = { "channel", "A repository that the project publishes", sizeof(AshChannel), ROWS(
        TEXT_("description", OWN | DOCS, AshChannel, description, "what it is"),
        TEXT_("kind", OWN, AshChannel, kind, "what it carries", WORDS("binary", "debug", "source"), .standard = "binary"),
        TEXT_("path", OWN, AshChannel, path, "its directory below the output directory", FORM(subpath), .standard = "its name"),
        TEXTS_("arches", OWN, AshChannel, architectures, "its architectures", .standard = "x86_64"),
        TEXTS_("packages", OWN, AshChannel, packages, "imported packages that it carries beside those that are built (names or globs)"),
        TEXTS_("upstreams", OWN, AshChannel, upstreams, "upstreams that its packages may come from: both those that it asks for and those that publishing rules send here", REF(UPSTREAM), .standard = "the chosen one; rules send packages of any"),
        TEXTS_("repos", OWN, AshChannel, repos, "further repositories", REF(REPO)),
        TEXTS_("requires", OWN, AshChannel, requires_channels, "channels in which its dependencies may be", REF(CHANNEL)),
        TEXTS_("groups", OWN, AshChannel, groups, "package groups that clients see (comps)", REF(PACKAGE_GROUP)),
        PATH_("comps", OWN, AshChannel, comps, "a ready comps.xml, in place of `groups`"),
        TEXT_("compression", OWN, AshChannel, compression, "of its metadata", WORDS("zstd", "gzip"), .standard = "zstd"),
        NUMBER_("generations", OWN, AshChannel, generations, "how many published states to keep", .standard = "3")) };

static const AshRecord advisory_reference = { "advisory-reference", "Where more is said about what was mended", sizeof(AshAdvisoryReference), ROWS(
        TEXT_("type", OWN, AshAdvisoryReference, type, "what it is", WORDS("cve", "bugzilla", "self", "other"), .standard = "other"),
        TEXT_("id", REQ | OWN, AshAdvisoryReference, id, "its number, as CVE-2025-1", FORM(line)),
        TEXT_("url", OWN, AshAdvisoryReference, url, "where it is", FORM(url)),
        TEXT_("title", OWN, AshAdvisoryReference, title, "what it is about", FORM(line), .standard = "its id")),
        .at = O(AshAdvisoryReference, at) + 1 };
static const AshRecord advisory = { "advisory", "What was mended; goes into the updateinfo of each channel that has one of its packages", sizeof(AshAdvisory), ROWS(
        TEXT_("type", REQ | OWN, AshAdvisory, type, "what it is", WORDS("security", "bugfix", "enhancement", "newpackage")),
        TEXT_("severity", OWN, AshAdvisory, severity, "how bad it was", WORDS("Critical", "Important", "Moderate", "Low", "None")),
        TEXT_("title", REQ | OWN, AshAdvisory, title, "one line", FORM(line)),
        TEXT_("summary", OWN, AshAdvisory, summary, "a paragraph"),
        TEXT_("description", OWN | DOCS, AshAdvisory, description, "all of it"),
        TEXT_("rights", OWN, AshAdvisory, rights, "who may use the text"),
        TEXT_("issued", REQ | OWN, AshAdvisory, issued, "the day", FORM(date)),
        TEXT_("updated", OWN, AshAdvisory, updated, "the day of its last change", FORM(date), .standard = "`issued`"),
        TABLES_("references", OWN, AshAdvisory, references, advisory_reference, "where more is said"),
        TEXTS_("packages", REQ | OWN, AshAdvisory, packages, "the packages that mend it: NAME-[EPOCH:]VERSION-RELEASE.ARCH")) };

/* ---- images ---- */
static const AshRecord definition = { "image-definition", "A definition in another tool's format", sizeof(AshImage), ROWS(
        TEXT("type", AshImage, definition_type, "the format", WORDS("kiwi")),
        PATH_("path", 0, AshImage, definition_path, "its file"),
        TEXT("profile", AshImage, definition_profile, "which of its profiles")), .schema_rules = ash_schema_definition };
static const AshRecord capabilities = { "image-capabilities", "What the image can do", sizeof(AshImage), ROWS(
        FLAG_("machine-bootable", 0, AshImage, machine_bootable, "a machine can boot it"),
        FLAG_("container", 0, AshImage, container, "a container host can run it"),
        FLAG_("systemd", 0, AshImage, systemd, "systemd is its init"),
        FLAG_("runtime-package-management", 0, AshImage, runtime_package_management, "packages can be installed in it")) };
static const AshRecord test_suite_ref = { "test-suite-ref", "A test suite", sizeof(AshText), ROWS({ "name", ASH_FIELD_TEXT, REQ, 0, "one of `test-suites`", REF(TEST_SUITE) }) };
static const AshRecord image_tests = { "image-tests", "How the image is tested", sizeof(AshImage), ROWS(
        TABLES_("test-suites", 0, AshImage, test_suites, test_suite_ref, "test suites for it")) };
static const AshRecord image_publish = { "image-publish", "Where the image is published", sizeof(AshImage), ROWS(
        TEXTS_("channels", 0, AshImage, channels, "its channels", FORM(channel), REF(CHANNEL))) };
static const AshRecord image_services = { "image-services", "systemd units", sizeof(AshImage), ROWS(
        TEXTS_("enable", OWN, AshImage, enable, "units to enable, whatever the presets say", FORM(unit)),
        TEXTS_("disable", OWN, AshImage, disable, "units to disable", FORM(unit)),
        TEXTS_("mask", OWN, AshImage, mask, "units that cannot be started", FORM(unit))) };
static const AshRecord image_user = { "image-user", "A user", sizeof(AshImageUser), ROWS(
        NUMBER_("uid", OWN, AshImageUser, uid, "its number", .standard = "the next free one, kept in the lock"),
        TEXT_("group", OWN, AshImageUser, primary_group, "its primary group", FORM(owner), .standard = "a group of its name"),
        TEXTS_("groups", OWN, AshImageUser, groups, "further groups", FORM(user)),
        TEXT_("password-hash", OWN, AshImageUser, password_hash, "as in /etc/shadow", FORM(password), .standard = "no password"),
        TEXTS_("ssh-keys", OWN, AshImageUser, ssh_keys, "public keys that may log in", FORM(line)),
        TEXT_("shell", OWN, AshImageUser, shell, "its shell", FORM(field_path), .standard = "/bin/bash, or nologin for a system user"),
        TEXT_("home", OWN, AshImageUser, home, "its home directory", FORM(field_path)),
        TEXT_("comment", OWN, AshImageUser, comment, "its full name", FORM(field)),
        FLAG_("system", OWN, AshImageUser, system_user, "a system user"),
        FLAG_("sudo", OWN, AshImageUser, sudo, "may use sudo without a password")) };
static const AshRecord image_group = { "image-group", "A group of users", sizeof(AshImageGroup), ROWS(
        NUMBER_("gid", OWN, AshImageGroup, gid, "its number", .standard = "the next free one, kept in the lock"),
        TEXTS_("members", OWN, AshImageGroup, members, "its members", FORM(user)),
        FLAG_("system", OWN, AshImageGroup, system_group, "a system group")) };
static const AshRecord image_file = { "image-file", "A file; the name is its path in the image", sizeof(AshImageFile), ROWS(
        TEXT_("content", OWN, AshImageFile, content, "its content"),
        PATH_("source", OWN, AshImageFile, source, "a file with its content, in place of `content`"),
        FLAG_("signing-key", OWN, AshImageFile, signing_key, "its content is the public key that the project's repositories are signed with (`project.signing-key`; else the development key of this user)"),
        FLAG_("append", OWN, AshImageFile, append, "put the content behind what a package's file of this path has"),
        TEXT_("mode", OWN, AshImageFile, mode, "its mode", FORM(mode), .standard = "0644"),
        TEXT_("owner", OWN, AshImageFile, owner, "its owner", FORM(owner), .standard = "root"),
        TEXT_("group", OWN, AshImageFile, group, "its group", FORM(owner), .standard = "root"),
        TEXT_("reason", OWN | DOCS, AshImageFile, reason, "why it is needed")),
        .rule = ash_rule_image_file };
static const AshRecord image_directory = { "image-directory", "A directory; the name is its path in the image", sizeof(AshImageDirectory), ROWS(
        TEXT_("mode", OWN, AshImageDirectory, mode, "its mode", FORM(mode), .standard = "0755"),
        TEXT_("owner", OWN, AshImageDirectory, owner, "its owner", FORM(owner), .standard = "root"),
        TEXT_("group", OWN, AshImageDirectory, group, "its group", FORM(owner), .standard = "root"),
        TEXT_("reason", OWN | DOCS, AshImageDirectory, reason, "why it is needed")) };
static const AshRecord image_link = { "image-link", "A symbolic link; the name is its path in the image", sizeof(AshImageLink), ROWS(
        TEXT_("target", REQ | OWN, AshImageLink, target, "what it points at", FORM(line)),
        TEXT_("reason", OWN | DOCS, AshImageLink, reason, "why it is needed")) };
static const AshRecord image_oci = { "image-oci", "Settings of a container; see the OCI image specification", sizeof(AshImageOci), ROWS(
        TEXTS_("entrypoint", OWN | REPLACE, AshImageOci, entrypoint, "what is always run"),
        TEXTS_("command", OWN | REPLACE, AshImageOci, command, "its default arguments"),
        PAIRS_("environment", OWN, AshImageOci, environment, "environment variables", FORM(variable)),
        TEXT_("user", OWN, AshImageOci, user, "whom it runs as: a user of the image, or a number; `USER:GROUP` says the group, too", FORM(run_user), .standard = "root"),
        TEXT_("working-directory", OWN, AshImageOci, working_directory, "where it runs", FORM(directory), .standard = "/"),
        PAIRS_("labels", OWN, AshImageOci, labels, "labels", FORM(filled)),
        PAIRS_("annotations", OWN, AshImageOci, annotations, "annotations of the manifest", FORM(filled)),
        TEXT_("stop-signal", OWN, AshImageOci, stop_signal, "the signal that ends it", FORM(signal)),
        TEXTS_("exposed-ports", OWN, AshImageOci, exposed_ports, "ports, as `80/tcp`", FORM(port)),
        TEXTS_("volumes", OWN, AshImageOci, volumes, "directories that hold data", FORM(absolute)),
        TEXTS_("tags", OWN, AshImageOci, tags, "names of the image in the layout", FORM(tag), .standard = "[\"latest\"]"),
        TEXT_("compression", OWN, AshImageOci, compression, "of its layers", WORDS("zstd", "gzip"), .standard = "zstd"),
        TEXT_("layers", OWN, AshImageOci, layers, "one layer, or one for each origin of packages, which images then share", WORDS("single", "origin"), .standard = "single")) };
static const AshRecord image_partition = { "image-partition", "A partition of a disk, in order", sizeof(AshImagePartition), ROWS(
        TEXT_("type", REQ | OWN, AshImagePartition, type, "its purpose by the Discoverable Partitions Specification (`esp`, `root`, `usr`, `var`, `home`, `srv`, `tmp`, `swap`, `xbootldr`, `linux`), or a GUID", FORM(filled)),
        TEXT_("label", OWN, AshImagePartition, label, "its name in the partition table and of its file system", FORM(line)),
        TEXT_("size", OWN, AshImagePartition, size, "its size; `auto` is what its files need and the margin", FORM(size), .standard = "auto"),
        TEXT_("margin", OWN, AshImagePartition, margin, "free space beside the files, for `auto`: bytes or a percentage of what they take", FORM(size), .standard = "20%"),
        TEXT_("filesystem", OWN, AshImagePartition, filesystem, "its file system", WORDS("ext4", "vfat", "swap", "squashfs", "erofs", "none"), .standard = "vfat for `esp`, swap for `swap`, else ext4"),
        TEXT_("mount", OWN, AshImagePartition, mount, "where it is mounted", .standard = "by its type"),
        TEXT_("options", OWN, AshImagePartition, options, "mount options"),
        TEXT_("uuid", OWN, AshImagePartition, uuid, "its identifier", .standard = "made from the seed in the lock"),
        FLAG_("grow", OWN, AshImagePartition, grow, "grows to the disk at first boot", .standard = "true for `root`"),
        FLAG_("read-only", OWN, AshImagePartition, read_only, "mounted read-only")),
        .at = O(AshImagePartition, at) + 1 };
static const AshRecord image_check = { "image-check", "A check that `image test` runs in the booted machine", sizeof(AshImageCheck), ROWS(
        TEXT_("name", REQ | OWN, AshImageCheck, name, "its name"),
        TEXT_("run", REQ | OWN, AshImageCheck, run, "the command"),
        NUMBER_("status", OWN, AshImageCheck, status, "the exit status it must have", .standard = "0"),
        TEXT_("output", OWN, AshImageCheck, output, "a regular expression that its output must match"),
        NUMBER_("timeout", OWN, AshImageCheck, timeout, "seconds it may take", .standard = "60")),
        .at = O(AshImageCheck, at) + 1 };
const AshRecord ash_record_image = { "image", "A named set of outputs made from packages and configuration", sizeof(AshImage), ROWS(
        TEXT_("description", DOCS, AshImage, description, "what it is"),
        TABLE_("definition", 0, 0, definition, "a definition in another tool's format"),
        TABLE_("capabilities", 0, 0, capabilities, "what it can do"),
        TABLE_("tests", 0, 0, image_tests, "how it is tested"),
        TABLE_("publish", 0, 0, image_publish, "where it is published"),
        TEXT_("kind", OWN, AshImage, kind, "what it is, for a native definition", WORDS("disk", "container", "archive", "directory")),
        TEXTS_("inherits", OWN | REPLACE, AshImage, inherits, "images whose settings it takes first, in this order; arrays append, single values are overridden", REF(IMAGE)),
        FLAG_("abstract", OWN, AshImage, is_abstract, "only there to be inherited from"),
        TEXTS_("arches", OWN | REPLACE, AshImage, architectures, "its architectures", .standard = "x86_64"),
        TEXTS_("formats", OWN | REPLACE, AshImage, formats, "its outputs", WORDS("raw", "vhd", "vhd-dynamic", "vhdx", "qcow2", "vmdk", "iso", "oci", "docker", "tar", "cpio", "squashfs", "erofs", "directory", "wsl"),
                .standard = "raw for a disk, oci for a container, tar for an archive, directory for a directory"),
        TEXTS_("upstreams", OWN, AshImage, upstreams, "upstreams that its packages may come from", REF(UPSTREAM), .standard = "the chosen one"),
        TEXTS_("repos", OWN, AshImage, repos, "further repositories", REF(REPO)),
        TEXTS_("packages", OWN, AshImage, packages, "what to install: names, provides, paths"),
        TEXTS_("package-groups", OWN, AshImage, package_groups, "groups of packages to install", REF(PACKAGE_GROUP)),
        TEXTS_("exclude-packages", OWN, AshImage, exclude_packages, "packages that must not come in, even as a dependency (then it is an error)"),
        TEXTS_("exclude-paths", OWN, AshImage, exclude_paths, "globs of paths to leave out", FORM(glob)),
        FLAG_("weak-dependencies", OWN, AshImage, weak_dependencies, "install what packages recommend", .standard = "false"),
        FLAG_("essential-packages", OWN, AshImage, essential_packages, "install what an apt upstream calls Essential: its packages count on these without saying so", .standard = "false"),
        FLAG_("documentation", OWN, AshImage, documentation, "keep files marked as documentation", .standard = "false"),
        FLAG_("package-database", OWN, AshImage, package_database, "keep the RPM database", .standard = "true"),
        NUMBER_("scriptlet-timeout", OWN, AshImage, scriptlet_timeout, "seconds that a package's scriptlet may take in the sandbox", .standard = "300"),
        TEXTS_("languages", OWN | REPLACE, AshImage, languages, "translations to keep", .standard = "all"),
        TEXT_("hostname", OWN, AshImage, hostname, "its host name", FORM(hostname)),
        TEXT_("locale", OWN, AshImage, locale, "LANG", FORM(line), .standard = "C.UTF-8"),
        TEXT_("keymap", OWN, AshImage, keymap, "the keyboard of the console", FORM(line)),
        TEXT_("time-zone", OWN, AshImage, time_zone, "its time zone, as Europe/Berlin", FORM(time_zone), .standard = "UTC"),
        TABLE_("services", OWN, 0, image_services, "systemd units"),
        NAMED_("users", OWN | DEEP, AshImage, users, image_user, "users", FORM(user)),
        NAMED_("groups", OWN | DEEP, AshImage, groups, image_group, "groups of users", FORM(user)),
        NAMED_("files", OWN, AshImage, files, image_file, "files", FORM(absolute)),
        NAMED_("directories", OWN, AshImage, directories, image_directory, "directories", FORM(absolute)),
        NAMED_("links", OWN, AshImage, links, image_link, "symbolic links", FORM(absolute)),
        TABLE_("oci", OWN, O(AshImage, oci), image_oci, "settings of a container"),
        TEXT_("size", OWN, AshImage, size, "of the whole disk", FORM(size), .standard = "auto"),
        TABLES_("partitions", OWN | REPLACE, AshImage, partitions, image_partition, "partitions of a disk", .standard = "esp and root"),
        TEXT_("kernel", OWN, AshImage, kernel, "which kernel starts by default when there are several: a glob over their versions", .standard = "the newest"),
        TEXTS_("kernel-command-line", OWN, AshImage, kernel_command_line, "arguments of the kernel; without `root=` the root is found by its type in the partition table", FORM(line)),
        TEXTS_("kernel-modules", OWN, AshImage, kernel_modules, "kernel modules that its initrd needs beside those found"),
        TEXT_("boot-loader", OWN, AshImage, boot_loader, "how it boots", WORDS("systemd-boot", "uki", "none"), .standard = "systemd-boot for a disk"),
        TEXT_("login", OWN, AshImage, login, "`required`: an image nobody can log in to is an error", WORDS("required", "none"), .standard = "required for a disk"),
        TABLES_("checks", OWN, AshImage, checks, image_check, "what `image test` checks")),
        .rule = ash_rule_image };

/* ---- building components ---- */
#define BASE_ROWS(T, prefix) \
        TEXTS_("packages", OWN, T, prefix packages, "what every buildroot has: names, provides, paths"), \
        TEXTS_("upstreams", OWN | REPLACE, T, prefix upstreams, "where its packages, and what components require, come from; what was built here (an upstream of type `components`) goes before the others, among those `priority` decides", REF(UPSTREAM), \
                .standard = "`inputs.rpm-build` of the default distribution, else the chosen upstream"), \
        TEXTS_("base-upstreams", OWN | REPLACE, T, prefix base_upstreams, "which of `upstreams` the packages of every buildroot come from, and what those require; what these upstreams do not have comes from the others", REF(UPSTREAM), \
                .standard = "those that are not of type `components`: what is built here changes nobody else's buildroot but of those that require it")
static const AshRecord build_stage = { "build-stage", "A buildroot with another base, for components that say `build.stage`: it breaks cycles", sizeof(AshBuildBase), ROWS(
        BASE_ROWS(AshBuildBase,)) };
static const AshRecord build_base = { "build-base", "Where components are built", sizeof(AshBuildConfig), ROWS(
        BASE_ROWS(AshBuildConfig, base.),
        NUMBER_("timeout", OWN, AshBuildConfig, timeout, "seconds that a build may take", .standard = "7200"),
        TEXT_("memory", OWN, AshBuildConfig, memory, "memory that all processes of a build may take together, beside its files; a build that takes more is ended. Also the address space of each", FORM(bytes), .standard = "three quarters of the machine's"),
        TEXT_("disk", OWN, AshBuildConfig, disk, "what all files of a build may take, beside its buildroot, and one file for each 4 KiB of it: in memory", FORM(bytes), .standard = "20G"),
        TEXT_("log-limit", OWN, AshBuildConfig, log_limit, "how long a log may get; a longer one fails the build", FORM(bytes), .standard = "64M"),
        TEXT_("roots", OWN, AshBuildConfig, roots, "room in the store for buildroots that were made before: those that were not used for the longest time make place for new ones", FORM(bytes), .standard = "20G"),
        NAMED_("stages", OWN | DEEP, AshBuildConfig, stages, build_stage, "further buildroots, by name; what a stage does not say is that of `build`", .data = O(AshBuildStage, base), .item_size = sizeof(AshBuildStage))) };

/* ---- test suites, tools ---- */
static const AshRecord pytest = { "test-pytest", "pytest; `{image-path}`, `{image-name}` and `{capabilities}` are filled into arguments", sizeof(AshTestSuite), ROWS(
        PATH_("working-dir", 0, AshTestSuite, working_dir, "where it runs"),
        TEXTS_("test-paths", 0, AshTestSuite, test_paths, "test files, relative to `working-dir`"),
        TEXTS_("extra-args", 0, AshTestSuite, extra_args, "further arguments"),
        TEXT("install", AshTestSuite, install, "how its dependencies are installed", WORDS("pyproject", "requirements", "none", ""), .standard = "none")),
        .rule = ash_rule_pytest };
static const AshRecord git_source = { "git-source", "A commit of a git repository", sizeof(AshTestSuite), ROWS(
        TEXT_("git-url", REQ, AshTestSuite, git_url, "the repository", FORM(plain_uri)),
        TEXT_("ref", REQ, AshTestSuite, git_ref, "the commit", FORM(git_ref))) };
static const AshRecord lisa = { "test-lisa", "LISA", sizeof(AshTestSuite), ROWS(
        TABLE_("framework", REQ, 0, git_source, "LISA itself"),
        TEXTS_("test-cases", REQ, AshTestSuite, test_cases, "test cases"),
        TEXTS_("pip-pre-install", 0, AshTestSuite, pip_pre_install, "Python packages to install before"),
        TEXTS_("pip-extras", 0, AshTestSuite, pip_extras, "extras of LISA to install"),
        TEXTS_("extra-args", 0, AshTestSuite, lisa_extra_args, "further arguments")) };
static const AshRecord test_suite = { "test-suite", "Tests of images", sizeof(AshTestSuite), ROWS(
        TEXT_("description", DOCS, AshTestSuite, description, "what it is"),
        TEXT_("type", 0, AshTestSuite, type, "the framework", WORDS("pytest", "lisa", "")),
        TABLE_("pytest", 0, 0, pytest, "for `pytest`", .present = O(AshTestSuite, has_pytest) + 1),
        TABLE_("lisa", 0, 0, lisa, "for `lisa`", .present = O(AshTestSuite, has_lisa) + 1)),
        .rule = ash_rule_test_suite };
static const AshRecord image_customizer = { "image-customizer", "azldev's Image Customizer; Ashlar does not use it", sizeof(AshProject), ROWS(
        TEXT("containerTag", AshProject, image_customizer_tag, "tag of its container")) };
static const AshRecord tools = { "tools", "Tools of azldev", sizeof(AshProject), ROWS(TABLE_("imageCustomizer", 0, 0, image_customizer, "the Image Customizer")) };

/* ---- the file ---- */
static const AshRecord project_info = { "project", "The project", sizeof(AshProjectInfo), ROWS(
        TEXT_("description", DOCS, AshProjectInfo, description, "what it is"),
        PATH_("log-dir", 0, AshProjectInfo, log_dir, "where logs go"),
        PATH_("work-dir", 0, AshProjectInfo, work_dir, "where work in progress goes"),
        PATH_("output-dir", 0, AshProjectInfo, output_dir, "where results go"),
        PATH_("rendered-specs-dir", 0, AshProjectInfo, rendered_specs_dir, "where rendered specs go"),
        PATH_("lock-dir", 0, AshProjectInfo, lock_dir, "where azldev keeps a lock file for each component"),
        TABLE_("default-distro", 0, O(AshProjectInfo, default_distro), ash_record_distro_ref, "what components are built for"),
        TEXT("default-author-email", AshProjectInfo, author_email, "author of generated changelog entries"),
        TEXT_("overlay-semantics", OWN, AshProjectInfo, overlay_semantics, "`azldev`: overlays do exactly what azldev does; `strict`: they know conditionals and refuse what is ambiguous, and an explicit `false` overrides an inherited `true`",
                WORDS("azldev", "strict"), .standard = "azldev"),
        TEXTS_("rendered-header", OWN | REPLACE, AshProjectInfo, rendered_header, "lines on top of a rendered spec; empty: none", FORM(line), .standard = "azldev's three lines"),
        TEXT_("macro-file", OWN, AshProjectInfo, macro_file, "name of the macro file of a component; `{component}` stands for its name", FORM(macro_file), .standard = "{component}.azl.macros"),
        PATH_("signing-key", OWN, AshProjectInfo, signing_key, "the key that signs packages and metadata", .standard = "a development key, made on first use"),
        TEXT_("signer", OWN, AshProjectInfo, signer, "a command that signs in place of a key: digest in, signature out")) };

const AshRecord ash_record_project = { "file", "A file of the project", sizeof(AshProject), ROWS(
        TEXT_("$schema", DOCS, AshProject, schema, "for editors"),
        TEXTS_("includes", 0, AshProject, includes, "further files, relative to this one: paths, which must exist, and globs, which may match nothing (`**` stands for any directories)", FORM(glob)),
        TABLE_("project", 0, O(AshProject, info), project_info, "the project"),
        NAMED_("distros", DEEP, AshProject, distros, distro, "distributions; several files may speak of one: values of the later file override"),
        TABLE_("resources", 0, O(AshProject, resources), resources, "repositories; an entry of a later file replaces one of the same name"),
        { "components", ASH_FIELD_BOXED, UNIQUE, O(AshProject, components), "components, each declared once", .record = &ash_record_component_config },
        NAMED_("component-groups", UNIQUE, AshProject, groups, component_group, "groups of components, each declared once"),
        NAMED_("images", UNIQUE, AshProject, images, ash_record_image, "images, each declared once", FORM(image_name)),
        NAMED_("test-suites", UNIQUE, AshProject, test_suites, test_suite, "test suites, each declared once"),
        TABLE_("tools", 0, 0, tools, "tools of azldev"),
        TABLE_("default-component-config", APPEND, O(AshProject, default_component), ash_record_component_config, "what all components inherit"),
        TABLE_("default-package-config", 0, O(AshProject, default_publish), package_config, "what all binary packages inherit"),
        NAMED_("package-groups", UNIQUE, AshProject, package_groups, package_group, "groups of binary packages, each declared once"),
        NAMED_("upstreams", OWN | UNIQUE, AshProject, upstreams, upstream, "where packages come from", FORM(repo_name)),
        NAMED_("channels", OWN | UNIQUE, AshProject, channels, channel, "published repositories; when one is declared, every channel named elsewhere must be", FORM(channel)),
        NAMED_("advisories", OWN | UNIQUE, AshProject, advisories, advisory, "what was mended, by id"),
        TABLE_("build", OWN, O(AshProject, build), build_base, "where components are built")) };

/* ---- access ---- */
const AshField *ash_field_find(const AshRecord *record, AshSlice key) {
        for (const AshField *f = record->fields; f->key; f++)
                if (ash_slice_eqs(key, f->key))
                        return f;
        return NULL;
}

const char *ash_field_kind_name(AshFieldKind kind) {
        static const char *const names[ASH_FIELD_MAX_] = {
                [ASH_FIELD_TEXT] = "string", [ASH_FIELD_PATH] = "path", [ASH_FIELD_SOURCE] = "path", [ASH_FIELD_TEXTS] = "array of strings", [ASH_FIELD_PATHS] = "array of paths",
                [ASH_FIELD_FLAG] = "boolean", [ASH_FIELD_NUMBER] = "integer", [ASH_FIELD_PAIRS] = "table of strings", [ASH_FIELD_TABLE] = "table",
                [ASH_FIELD_TABLES] = "array of tables", [ASH_FIELD_NAMED] = "table of tables", [ASH_FIELD_BOXED] = "table of tables",
        };
        return names[kind];
}

const char *ash_ref_name(AshRef ref) {
        static const char *const names[ASH_REF_MAX_] = {
                [ASH_REF_NONE] = "", [ASH_REF_DISTRO] = "distribution", [ASH_REF_CHANNEL] = "channel", [ASH_REF_COMPONENT] = "component", [ASH_REF_PACKAGE_GROUP] = "package group",
                [ASH_REF_IMAGE] = "image", [ASH_REF_TEST_SUITE] = "test suite", [ASH_REF_REPO] = "repository", [ASH_REF_REPO_SET] = "repository set",
                [ASH_REF_REPO_TEMPLATE] = "repository-set template", [ASH_REF_UPSTREAM] = "upstream", [ASH_REF_STAGE] = "build stage",
        };
        return names[ref];
}

const void *ash_field_item(const AshField *f, const void *record, size_t i) {
        const AshItems *items = ash_field_at(f, record);
        if (f->kind == ASH_FIELD_BOXED)
                return ((const AshComponent *) (const void *) items->items)[i].own;
        return items->items + i * ash_field_item_size(f) + f->data;
}

AshText ash_field_item_name(const AshField *f, const void *record, size_t i) {
        const AshItems *items = ash_field_at(f, record);
        return *(const AshText *) (const void *) (items->items + i * ash_field_item_size(f));
}

bool ash_field_empty(const AshField *f, const void *record) {
        const void *p = ash_field_at(f, record);
        switch (f->kind) {
        case ASH_FIELD_TEXT:
        case ASH_FIELD_PATH:
        case ASH_FIELD_SOURCE:
                return !ash_text_set(*(const AshText *) p);
        case ASH_FIELD_FLAG:
                return ((const AshFlag *) p)->value == ASH_UNSET;
        case ASH_FIELD_NUMBER:
                return !((const AshNumber *) p)->set;
        case ASH_FIELD_TABLE:
                return !(f->present && *((const bool *) record + f->present - 1)) && ash_record_empty(f->record, p);
        default:
                return !((const AshItems *) p)->items; /* an empty array that was written is there, with no items */
        }
}

bool ash_record_empty(const AshRecord *r, const void *record) {
        for (const AshField *f = r->fields; f->key; f++)
                if (!ash_field_empty(f, record))
                        return false;
        return true;
}
