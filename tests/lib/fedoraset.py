"""Packages as Fedora's are: the scriptlets and triggers of the corpus in packages made by rpmbuild, with the files, units, presets, ghosts and configuration that those scriptlets speak of; and some more, written
here, of kinds that the corpus has not. The tools that scriptlets call come from other packages of the set."""
import json
import pathlib
import re

# What systemd's and rpm's own macros expand to (systemd's src/rpm/macros.systemd.in; Fedora's redhat-rpm-config).
MACROS = r"""
%__systemd_helper /usr/lib/systemd/systemd-update-helper
%_unitdir /usr/lib/systemd/system
%_userunitdir /usr/lib/systemd/user
%systemd_post() \
if [ $1 -eq 1 ] && [ -x "%{__systemd_helper}" ]; then \
    # Initial installation \
    %{__systemd_helper} install-system-units %{?*} || : \
fi \
%{nil}
%systemd_user_post() \
if [ $1 -eq 1 ] && [ -x "%{__systemd_helper}" ]; then \
    # Initial installation \
    %{__systemd_helper} install-user-units %{?*} || : \
fi \
%{nil}
%systemd_posttrans_with_restart() \
if [ $1 -ge 1 ] && [ -x "%{__systemd_helper}" ]; then \
    # Package upgrade, not uninstall \
    %{__systemd_helper} mark-restart-system-units %{?*} || : \
fi \
%{nil}
%journal_catalog_update() %{nil}
%sysctl_apply() \
if [ -x /usr/lib/systemd/systemd-sysctl ]; then \
    /usr/lib/systemd/systemd-sysctl %{?*} || : \
fi \
%{nil}
%sysusers_create_compat() \
getent group 'fxsshd' >/dev/null || groupadd -f -g 74 -r 'fxsshd' || :\
if ! getent passwd 'fxsshd' >/dev/null ; then\
    if ! getent passwd '74' >/dev/null ; then\
      useradd -r -u 74 -g 'fxsshd' -d '/usr/share/empty.fxsshd' -s '/usr/sbin/nologin' -c 'Privilege-separated SSH' 'fxsshd' || :\
    else\
      useradd -r -g 'fxsshd' -d '/usr/share/empty.fxsshd' -s '/usr/sbin/nologin' -c 'Privilege-separated SSH' 'fxsshd' || :\
    fi\
fi \
%{nil}
%sbin_filenames {['fx-old-tool']=true, ['fx-not-there']=true}
%udev_services fx-udev-settle.service
%networkd_services systemd-networkd.service fx-network-wait.service
%__isa_bits 64
%rpmstate_autopolicy /run/fx-autopolicy
%_default_pid_dir /run
%default_profile local
%java_bundle java/cacerts
%pkidir /etc/pki
%classic_tls_bundle ca-bundle.crt
%openssl_format_trust_bundle ca-bundle.trust.crt
%cache /var/cache/man
%efi_esp_dir /boot/efi/EFI/fx
%enable_lvmpolld 1
"""

HELPER = """#!/bin/sh
# What Fedora's systemd-update-helper does at an installation.
command=$1; shift
case $command in
install-system-units) exec systemctl --no-reload preset "$@" ;;
install-user-units) exec systemctl --no-reload preset --global "$@" ;;
esac
exit 0
"""

# Fedora's sh is bash; its packages say what their scriptlets call.
NEEDS = "Requires(pre): fx-setup, fx-sh, fx-helper, base-files, coreutils, findutils, grep, sed, passwd, libc-bin\nRequires(post): fx-sh, fx-helper, base-files, coreutils, systemd, util-linux\n"

# Scriptlets that cannot be judged here, each for what they need.
LEFT_OUT = {
    "ca-certificates": "Fedora's update-ca-trust and its trust store are not in the set's packages",
    "glibc": "its scriptlets are made of macros that are not in the corpus", "glibc-gconv-extra": "as glibc",
    "man-db": "Fedora's alternatives program is in no package that can be had here", "groff-base": "as man-db", "iptables-nft": "as man-db", "p11-kit-trust": "as man-db",
    "authselect-libs": "authselect is not there",
    "glib2": "its triggers call programs that are in no package of the set, and hide that",
    "shared-mime-info": "as glib2",
}

# Files beside units: path -> content; a path that ends in / is a directory, "%ghost PATH" a ghost, "%config PATH" a configuration file.
FILES = {
    "audit-rules": {"/usr/share/audit-rules/10-no-audit.rules": "-D\n", "/etc/audit/rules.d/": "0750", "%ghost /etc/audit/audit.rules": "0640"},
    "bash": {"%config /etc/shells": "/bin/zsh\n"},
    "crypto-policies": {**{f"/usr/share/crypto-policies/DEFAULT/{n}.txt": f"# {n}\n" for n in ("bind", "gnutls", "java", "krb5", "libreswan", "libssh", "nss", "openssh", "opensshserver", "opensslcnf", "rpm-sequoia")},
                        "/etc/crypto-policies/back-ends/": "0755", "/etc/crypto-policies/state/": "0755", "%ghost /etc/crypto-policies/config": "0644", "%ghost /etc/crypto-policies/state/current": "0644"},
    "cronie-anacron": {"/var/spool/anacron/": "0755", "%ghost /var/spool/anacron/cron.daily": "0600", "%ghost /var/spool/anacron/cron.weekly": "0600", "%ghost /var/spool/anacron/cron.monthly": "0600"},
    "filesystem": {"/srv/fx/": "0755", "/usr/bin/fx-old-tool": "#!/bin/sh\n"},
    "firewalld": {**{f"/etc/firewalld/firewalld-{n}.conf": n + "\n" for n in ("server", "standard", "workstation")}, "%ghost /etc/firewalld/firewalld.conf": "0644",
                  **{f"/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.{n}.policy.choice": n + "\n" for n in ("server", "desktop")}, "/usr/share/polkit-1/rules.d/": "0755"},
    "logrotate": {"/var/lib/logrotate/": "0755"},
    "openssh-server": {"/usr/share/empty.fxsshd/": "0711", "%config /etc/fxssh/sshd_config": "Port 22\n"},
    "selinux-policy": {"/etc/selinux/": "0755", "/etc/sysconfig/": "0755", "%ghost /etc/selinux/config": "0644", "%ghost /etc/sysconfig/selinux": "0644"},
    "setup": {"%config(noreplace) /etc/shadow": "", "%config(noreplace) /etc/gshadow": ""},
    "xkeyboard-config": {"/usr/share/X11/xkb/rules": "xkb\n"},
}

# Scriptlets of this file's own: name -> (tags, files, scriptlet sections of the spec). None of these bodies can be in any table.
OWN = {
    "fx-makes": ("", {"/var/lib/fx-makes/": "0755", "%ghost /var/lib/fx-makes/state": "0640", "/var/lib/fx-makes/gone": "x\n", "/var/lib/fx-makes/kept": "kept\n"}, """%post
set -e
echo state > /var/lib/fx-makes/state; chmod 0640 /var/lib/fx-makes/state
echo more >> /var/lib/fx-makes/kept
rm /var/lib/fx-makes/gone
ln -s state /var/lib/fx-makes/link; ln /var/lib/fx-makes/kept /var/lib/fx-makes/kept-too
mkdir -p /var/lib/fx-makes/d/e; mkfifo /var/lib/fx-makes/pipe; chmod 4711 /var/lib/fx-makes/kept-too; chmod 3775 /var/lib/fx-makes/d
"""),
    "fx-owner": ("", {"/var/lib/fx-owner/": "0755", "/var/lib/fx-owner/f": "x\n"}, """%pre
getent group fxowner >/dev/null || groupadd -r -g 61 fxowner
getent passwd fxowner >/dev/null || useradd -r -u 61 -g fxowner -d /var/lib/fx-owner -s /usr/sbin/nologin -c 'An owner' fxowner
%post
chown fxowner:fxowner /var/lib/fx-owner/f
chown -h 61:61 /var/lib/fx-owner
"""),
    "fx-lua": ("", {"/var/lib/fx-lua/": "0755", "/var/lib/fx-lua/f": "x\n"}, """%post -p <lua>
local f = io.open("/var/lib/fx-lua/made", "w")
f:write("by lua, package count " .. tostring(arg[2]) .. "\\n")
f:close()
posix.chmod("/var/lib/fx-lua/made", "rw-r-----")
posix.symlink("made", "/var/lib/fx-lua/link")
posix.mkdir("/var/lib/fx-lua/dir")
os.remove("/var/lib/fx-lua/f")
%posttrans -p <lua>
local f = io.open("/var/lib/fx-lua/made", "a")
f:write("and once more at the end\\n")
f:close()
"""),
    "fx-order-a": ("Requires(post): fx-order-b\n", {"/var/lib/fx-order/": "0755", "/usr/share/fx-order/a": "a\n"}, """%pretrans -p <lua>
%post
echo "a post $1 $(ls /usr/share/fx-order | tr '\\n' ' ')" >> /var/lib/fx-order.log
%posttrans
echo "a posttrans $1 $(ls /usr/share/fx-order | tr '\\n' ' ')" >> /var/lib/fx-order.log
"""),
    "fx-order-b": ("Requires(pre): fx-order-c\n", {"/usr/share/fx-order/b": "b\n"}, """%pre
echo "b pre $1 $(test -e /usr/share/fx-order/b && echo there) $(test -e /usr/share/fx-order/c && echo c)" >> /var/lib/fx-order.log
%post
echo "b post $1 $(test -e /usr/share/fx-order/b && echo there)" >> /var/lib/fx-order.log
"""),
    "fx-order-c": ("", {"/usr/share/fx-order/c": "c\n"}, """%post
echo "c post $1" >> /var/lib/fx-order.log
"""),
    "fx-watches": ("Requires: fx-order-c\n", {"/usr/share/fx-watched/self": "self\n"}, """%triggerin -- fx-watched
echo "fx-watched $1 $2" >> /var/lib/fx-watches.log
%filetriggerin -P 1500000 -- /usr/share/fx-watched
while read f; do echo "early $f" >> /var/lib/fx-watches.log; done
%filetriggerin -P 100 -- /usr/share/fx-watched
while read f; do echo "late $f" >> /var/lib/fx-watches.log; done
%transfiletriggerin -- /usr/share/fx-watched
sort | sed 's/^/whole /' >> /var/lib/fx-watches.log
%transfiletriggerin -P 2000000 -p <lua> -- /usr/share/fx-watched
local f = io.open("/var/lib/fx-watches.log", "a")
local name = rpm.next_file()
local n = 0
while name do n = n + 1; name = rpm.next_file() end
f:write("first of all " .. tostring(n) .. "\\n")
f:close()
"""),
    "fx-watched": ("Requires: fx-watches\n", {"/usr/share/fx-watched/one": "1\n", "/usr/share/fx-watched/two": "2\n", "/usr/share/fx-other/three": "3\n"}, ""),
    "fx-fails": ("", {"/usr/share/fx-fails": "x\n"}, """%post
echo before > /var/lib/fx-fails; exit 3
"""),
    "fx-bash": ("", {"/usr/share/fx-bash": "x\n"}, """%post -p /bin/bash
shopt -s nullglob
declare -A seen=([a]=1 [b]=2)
printf '%s=%s\\n' a "${seen[a]}" b "${seen[b]}" > /etc/fx-bash.conf
"""),
    "fx-sed": ("", {"%config /etc/fx-sed.conf": "a = 1\nb = 2\n"}, """%post
sed -i 's/^b = .*/b = 3/' /etc/fx-sed.conf
"""),
    "fx-caps": ("", {"/usr/bin/fx-caps": "#!/bin/sh\n"}, """%post
setcap cap_net_raw=ep /usr/bin/fx-caps 2>/dev/null || :
"""),
}


def conditions(body):
    """Without %if: the first branch, but that of RHEL; ends that belong to something outside of the scriptlet go."""
    out, keep = [], [True]
    for line in body.splitlines():
        if line.startswith("%if"):
            keep.append("rhel" not in line)
        elif line.startswith("%else") and len(keep) > 1:
            keep[-1] = not keep[-1]
        elif line.startswith(("%endif", "%else", "%global")):
            if line.startswith("%endif") and len(keep) > 1:
                keep.pop()
        elif all(keep):
            out.append(line)
    return "\n".join(out)


def section(hook):
    """The head of a section: its kind, the options, the targets; not the name of a subpackage."""
    words = hook["arguments"].split(" -- ") if " -- " in " " + hook["arguments"] else [hook["arguments"]]
    if hook["arguments"].startswith("-- "):
        words = ["", hook["arguments"][3:]]
    options, targets = words[0], words[1] if len(words) > 1 else ""
    out = "%" + hook["kind"]
    found = re.search(r"-p (\S+)", options)
    if found:
        out += " -p " + found[1]
    return out + (" -- " + targets if targets else "")


UNIT = re.compile(r"\b([\w@\\:.-]+\.(?:service|socket|timer|target))\b")


def units_of(bodies):
    """(system, user) units that presets are asked for, as the shell would read the names."""
    system, user = set(), set()
    for body in bodies:
        for line in body.splitlines():
            chosen = user if "%systemd_user_post" in line else system if "%systemd_post" in line or "systemctl" in line else None
            if chosen is not None:
                line = re.sub(r"(\S+)\.\{(\w+),(\w+)\}", r"\1.\2 \1.\3", line)
                chosen.update(UNIT.findall(line))
    return system, user


def unit(name):
    stem, kind = name.rsplit(".", 1)
    body = {"service": "[Service]\nExecStart=/usr/bin/true %s\n" % ("%i" if "@" in stem else ""), "socket": f"[Socket]\nListenStream=/run/{stem}.sock\n", "timer": "[Timer]\nOnCalendar=daily\n", "target": ""}[kind]
    wanted = {"service": "multi-user.target", "socket": "sockets.target", "timer": "timers.target", "target": "multi-user.target"}[kind]
    more = f"Alias=fx-alias-{stem}.{kind}\n" if len(stem) % 3 == 0 and "@" not in stem else ""
    return f"[Unit]\nDescription={stem}\n{body}[Install]\nWantedBy={wanted}\n{more}"


def build(kit, corpus, taken):
    """All packages: (list of RPM files, names, number of scriptlets that an installation runs). taken: paths that other packages of the set have."""
    hooks = {}
    for hook in json.loads(pathlib.Path(corpus).read_text()):
        if hook["package"] not in LEFT_OUT and not hook["kind"].endswith(("un", "postun")):
            hooks.setdefault(hook["package"], []).append(hook)
    macros = kit.dir / "macros.fedora"
    macros.write_text(MACROS)
    rpms, names, count, all_units, taken_units = [], [], 0, ([], []), set()

    def package(name, tags, files, sections):
        install, listed = [], []
        for path, content in sorted(files.items()):
            mark, _, plain = path.rpartition(" ") if path.startswith("%") else ("", "", path)
            if plain.rstrip("/") in taken:
                continue
            where = "%{buildroot}" + plain
            if plain.endswith("/"):
                install.append(f"mkdir -p '{where}'")
                listed.append(f"%dir %attr({content},root,root) {plain.rstrip('/')}")
            elif content.startswith("-> "):
                install.append(f"mkdir -p $(dirname '{where}'); ln -s '{content[3:]}' '{where}'")
                listed.append(plain)
            elif mark == "%ghost":
                listed.append(f"%ghost %attr({content},root,root) {plain}")
            else:
                data = kit.dir / "data" / name / plain[1:]
                data.parent.mkdir(parents=True, exist_ok=True)
                data.write_text(content)
                mode = "0755" if content.startswith("#!") else "0644"
                install.append(f"install -D -m {mode} '{data}' '{where}'")
                listed.append(f"{mark + ' ' if mark else ''}%attr({mode},root,root) {plain}")
        rpms.append(kit.build(name, "1.0", "1.fc43", tags=tags, install="\n".join(install) or "true", files="\n".join(listed), more=sections, macros=macros))
        names.append(name)

    for name, own in sorted(hooks.items()):
        bodies = [conditions(h["body"]) for h in own]
        system, user = units_of(bodies)
        files = dict(FILES.get(name, {}))
        for chosen, folder, every in ((system, "system", all_units[0]), (user, "user", all_units[1])):
            for u in chosen:
                u = re.sub(r"@[^.]+\.", "@.", u)
                if f"/usr/lib/systemd/{folder}/{u}" not in taken | taken_units:
                    files[f"/usr/lib/systemd/{folder}/{u}"] = unit(u)
                    taken_units.add(f"/usr/lib/systemd/{folder}/{u}")
                every.append(u)
        sections = ""
        for hook, body in zip(own, bodies):
            if "removeVarrunModuleLua" in body or "removeBinsbinModuleLua" in body or "merge_scriptlet" in body:
                body = "\n".join(line for line in body.splitlines() if not line.startswith(("%remove", "%merge_scriptlet")))
            sections += f"{section(hook)}\n{body}\n"
            count += 1
        package("fx-" + name, NEEDS if name != "setup" else "Requires: base-passwd\n", files, sections)
    for name, (tags, files, sections) in sorted(OWN.items()):
        package(name, tags + NEEDS, files, sections)
        count += len(re.findall(r"^%(?:pre|post|trigger|file|transfile)", sections, re.M))
    presets = [f"{'enable' if len(u) % 2 else 'disable'} {u}\n" for u in sorted(set(all_units[0]))]
    user_presets = [f"{'enable' if len(u) % 2 else 'disable'} {u}\n" for u in sorted(set(all_units[1]))]
    package("fx-sh", "Provides: /bin/sh\nRequires: bash\n", {"/usr/bin/sh": "-> bash"}, "")
    package("fx-helper", "", {"/usr/lib/systemd/systemd-update-helper": HELPER, "/usr/lib/systemd/system-preset/10-fx.preset": "".join(presets), "/usr/lib/systemd/user-preset/10-fx.preset": "".join(user_presets)}, "")
    for name in ("pam", "pcre2", "container-selinux", "fapolicyd-selinux"):  # what triggers wait for
        package(name, "", {f"/usr/share/{name}-of-the-set": name + "\n"}, "")
    return rpms, names, count
