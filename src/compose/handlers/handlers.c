#include "handlers-private.h"

static const char *const accounts_inputs[] = { "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/usr/lib/sysusers.d/*.conf", "/etc/sysusers.d/*.conf", "/usr/share/base-passwd/*", NULL };
static const char *const ldcache_inputs[] = { "/etc/ld.so.conf", "/etc/ld.so.conf.d/*.conf", "/usr/lib/**/*.so*", "/usr/lib64/**/*.so*", NULL };
static const char *const ca_inputs[] = { "/etc/ca-certificates.conf", "/usr/share/ca-certificates/**", "/usr/local/share/ca-certificates/**", "/etc/ssl/certs/*", NULL };
static const char *const trust_inputs[] = { "/usr/share/pki/ca-trust-source/**", "/usr/share/pki/ca-trust-legacy/*", "/etc/pki/ca-trust/source/**", "/etc/pki/ca-trust/ca-legacy.conf", NULL };
static const char *const rpmdb_inputs[] = { "/usr/lib/rpm/macros", "/usr/lib/rpm/platform/*/macros", "/etc/rpm/macros*", NULL };
static const char *const presets_inputs[] = { "/usr/lib/systemd/{system,user}-preset/*.preset", "/etc/systemd/{system,user}-preset/*.preset", "/usr/lib/systemd/{system,user}/**", "/etc/systemd/{system,user}/**", NULL };
static const char *const shells_inputs[] = { "/etc/shells", "/usr/bin/bash", NULL };
static const char *const tmpfiles_inputs[] = { "/etc/tmpfiles.d/*.conf", "/usr/local/lib/tmpfiles.d/*.conf", "/usr/lib/tmpfiles.d/*.conf", "/usr/share/factory/**", "/etc/passwd", "/etc/group", "/usr/lib/os-release", NULL };
static const char *const pam_inputs[] = { "/usr/share/pam-configs/*", "/usr/share/pam/common-*", "/etc/pam.d/common-*", NULL };
static const char *const hwdb_inputs[] = { "/etc/udev/hwdb.d/*.hwdb", "/usr/lib/udev/hwdb.d/*.hwdb", NULL };
static const char *const catalog_inputs[] = { "/usr/local/lib/systemd/catalog/*.catalog", "/usr/lib/systemd/catalog/*.catalog", NULL };
static const char *const crypto_inputs[] = { "/usr/share/crypto-policies/**", "/etc/crypto-policies/config", NULL };
static const char *const audit_inputs[] = { "/etc/audit/rules.d/*.rules", "/usr/share/audit-rules/*", NULL };
static const char *const alternatives_inputs[] = { "/etc/alternatives.d/*.conf", "/usr/lib/alternatives.d/*.conf", NULL };
static const char *const authselect_inputs[] = { "/usr/share/authselect/**", "/etc/authselect/authselect.conf", "/etc/authselect/custom/**", NULL };
static const char *const depmod_inputs[] = { "/usr/lib/modules/**", "/etc/depmod.d/*.conf", "/usr/lib/depmod.d/*.conf", NULL };

const AshHandler ash_handlers[] = {
        /* name        doc                                                                                       inputs           version wanted run */
        { "accounts",  "users and groups of sysusers.d and of the definition (systemd-sysusers, pwconv, update-passwd)", accounts_inputs, 2, NULL, ash_handle_accounts },
        { "ldcache",   "/etc/ld.so.cache and links of sonames (ldconfig)",                                       ldcache_inputs,  2, ash_wants_ldcache, ash_handle_ldcache },
        { "ca",        "/etc/ssl/certs: the bundle of trusted certificates and links to each (update-ca-certificates)",     ca_inputs,       1, ash_wants_ca, ash_handle_ca },
        { "ca-trust",  "/etc/pki/ca-trust/extracted: bundles of trusted certificates for OpenSSL, Java and firmware (update-ca-trust)", trust_inputs, 1, ash_wants_trust, ash_handle_trust },
        { "presets",   "which units are on: presets, and what the definition says (systemctl preset-all)",        presets_inputs,  1, ash_wants_presets, ash_handle_presets },
        { "machine-id", "/etc/machine-id says that every host makes its own (systemd's %post)",                 NULL,            1, ash_wants_machine_id, ash_handle_machine_id },
        { "resolv",    "/etc/resolv.conf is resolved's where that is on (systemd-resolved's %posttrans)",        NULL,            1, ash_wants_resolv, ash_handle_resolv },
        { "shells",    "/etc/shells has bash and sh (bash's %post)",                                            shells_inputs,   1, ash_wants_shells, ash_handle_shells },
        { "tmpfiles",  "files and directories of tmpfiles.d that do not wait for a boot (systemd-tmpfiles --create)", tmpfiles_inputs, 1, ash_wants_tmpfiles, ash_handle_tmpfiles },
        { "pam",       "/etc/pam.d/common-*: Debian's PAM stacks (pam-auth-update)",                            pam_inputs,      1, ash_wants_pam, ash_handle_pam },
        { "hwdb",      "udev's database of hardware, hwdb.bin (systemd-hwdb update)",                           hwdb_inputs,     1, ash_wants_hwdb, ash_handle_hwdb },
        { "catalog",   "the journal's database of explanations of messages (journalctl --update-catalog)",      catalog_inputs,  1, ash_wants_catalog, ash_handle_catalog },
        { "crypto-policies", "links to the back-ends of the stock policy (crypto-policies' %post)",              crypto_inputs,   1, ash_wants_crypto_policies, ash_handle_crypto_policies },
        { "audit",     "/etc/audit/audit.rules of rules.d (augenrules)",                                        audit_inputs,    1, ash_wants_audit, ash_handle_audit },
        { "alternatives", "names that several packages offer, as alternatives.d declares them (update-alternatives)", alternatives_inputs, 1, ash_wants_alternatives, ash_handle_alternatives },
        { "authselect", "/etc/nsswitch.conf and PAM stacks of the profile, below /etc/authselect (authselect select)", authselect_inputs, 1, ash_wants_authselect, ash_handle_authselect },
        { "depmod",    "indices of each kernel's modules: modules.dep and its companions (depmod)",             depmod_inputs,   2, ash_wants_depmod, ash_handle_depmod },
        { "fstab",     "mount points of a disk's partitions, and /etc/fstab for those that systemd does not find itself", NULL,            1, ash_wants_fstab, ash_handle_fstab },
        { "updated",   "/etc/.updated, /var/.updated: the first boot need not do again what is done (systemd-update-done)", NULL, 1, ash_wants_updated, ash_handle_updated },
        { "boot",      "boot loader, kernels, initrds and menu entries in the boot partition (bootctl install, kernel-install add)", NULL, 1, ash_wants_boot, ash_handle_boot },
        { "login",     "is there a way in? An error when not, unless the definition says login = \"none\"",      NULL,            1, ash_wants_login, ash_handle_login },
        { "rpmdb",     "the database of installed packages (rpm -i --justdb)",                                  rpmdb_inputs,    1, ash_wants_rpmdb, ash_handle_rpmdb },
        { "dnf",       "which packages were asked for, and which are dependencies (dnf's history.sqlite)",        NULL,            1, ash_wants_dnf, ash_handle_dnf },
        { "dnf5",      "the same for dnf 5 (libdnf5's state in /usr/lib/sysimage/libdnf5)",                        NULL,            1, ash_wants_dnf5, ash_handle_dnf5 },
        { "manifest",  "lists of packages for scanners, where there is no database (rpm -qa)",                   NULL,            1, ash_wants_manifest, ash_handle_manifest },
        {},
};

const AshHandler *ash_handler_find(AshSlice name) {
        for (const AshHandler *h = ash_handlers; h->name; h++)
                if (ash_slice_eqs(name, h->name))
                        return h;
        return NULL;
}
