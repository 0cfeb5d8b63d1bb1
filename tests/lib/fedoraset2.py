"""A second set as Fedora's packages are: scriptlets and triggers of kinds that the corpus has not, in our own words, with the conditions, interpreters, options and order of calls that Fedora 43's and Azure
Linux' packages have. Tools come from Debian's packages; where Debian has none (weak-modules, fix-info-dir, Fedora's kernel-install, ...) a package of the set has a small one that leaves something to compare."""
import re

# As systemd's and rpm's macros expand. The set has units and presets for them.
MACROS = r"""
%__systemd_helper /usr/lib/systemd/systemd-update-helper
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
%sysusers_create() \
if [ -x /usr/bin/systemd-sysusers ]; then \
    systemd-sysusers %{?*} || : \
fi \
%{nil}
%tmpfiles_create() \
if [ -x /usr/bin/systemd-tmpfiles ]; then \
    systemd-tmpfiles --create %{?*} || : \
fi \
%{nil}
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
NEEDS = "Requires(pre): fy-setup, fy-sh, fy-tools, base-files, coreutils, findutils, grep, sed, passwd, libc-bin\nRequires(post): fy-sh, fy-tools, base-files, coreutils, systemd, util-linux\n"
TOOLS = ["desktop-file-utils", "shared-mime-info", "libglib2.0-bin", "install-info", "openssl", "gawk", "hostname", "dpkg", "tar", "gzip"]


def service(name, more=""):
    return f"[Unit]\nDescription={name}\n[Service]\nExecStart=/usr/bin/true\n[Install]\nWantedBy=multi-user.target\n{more}"


UNITS = "/usr/lib/systemd/system/"
# name -> (tags, files, sections). A path may have marks before it: "%config", "%ghost", "%attr(...)"; a directory ends in "/", its content is its mode; "-> x" is a link.
SET = {
    # ---- the base ----
    "glibc": ("", {"/etc/ld.so.conf.d/": "0755", "/usr/lib/fy/liby.so.1.0": "not ELF\n", "%ghost /var/cache/ldconfig/fy-aux": "0600", "/usr/lib/fy/fy-modules.d/a.conf": "module a\n", "%ghost /usr/lib/fy/modules.cache": "0644"}, r"""%post -p <lua>
local function call (program, ...)
  if rpm.spawn ~= nil then
    assert (rpm.spawn ({program, ...}))
  else
    local pid = posix.fork ()
    if pid == 0 then
      posix.exec (program, ...)
      os.exit (127)
    elseif pid > 0 then
      posix.wait (pid)
    end
  end
end
-- hardware-specific libraries of older versions
local base = "/usr/lib/fy"
local st = posix.stat (base .. "/tls")
if st ~= nil and st.type == "directory" then os.remove (base .. "/tls") end
local f = assert (io.open ("/etc/ld.so.conf.d/fy.conf", "w"))
f:write ("/usr/lib/fy\n")
f:close ()
posix.chmod ("/etc/ld.so.conf.d/fy.conf", "0644")
call ("/usr/bin/sort", "-o", "/usr/lib/fy/modules.cache", "/usr/lib/fy/fy-modules.d/a.conf")
if posix.utime (base .. "/modules.cache") ~= 0 then io.stdout:write ("no cache\n") end
posix.utime (base .. "/modules.cache", 1, 1)
%posttrans -p <lua>
if tonumber (arg[2]) >= 2 and posix.access ("/usr/bin/systemctl", "x") then
  posix.exec ("/usr/bin/systemctl", "daemon-reexec")
end
%transfiletriggerin -p <lua> -P 2000000 -- /lib /usr/lib/fy /etc/ld.so.conf.d
local n, names = 0, {}
local file = rpm.next_file ()
while file do n = n + 1; names[#names + 1] = file; file = rpm.next_file () end
table.sort (names)
local f = assert (io.open ("/etc/fy-libraries", "w"))
f:write (n, " ", table.concat (names, " "), "\n")
f:close ()
"""),
    "locales": ("", {"/usr/lib/locale/fy-archive.tmpl": "archive\n" * 100, "%ghost %verify(not md5 size mtime) /usr/lib/locale/fy-archive": "0644"}, """%post -p <lua>
archive_path = "/usr/lib/locale/fy-archive"
template_path = archive_path .. ".tmpl"
os.remove(archive_path)
local st = posix.stat(template_path)
if st and st.size > 0 then
  posix.link(template_path, archive_path)
end
%posttrans -p <lua>
local a, b = posix.stat("/usr/lib/locale/fy-archive"), posix.stat("/usr/lib/locale/fy-archive.tmpl")
if a.ino ~= b.ino or a.nlink ~= 2 then error("not linked") end
"""),
    "filesystem": ("", {"/usr/lib/fydebug/": "0755", "/usr/lib/fydebug/bin": "-> usr/bin", "/srv/fy/": "0755"}, """%pretrans -p <lua>
-- the first package of all: nothing is there
posix.mkdir("/usr")
posix.mkdir("/usr/lib")
posix.mkdir("/usr/lib/fydebug")
posix.symlink("usr/bin", "/usr/lib/fydebug/bin")
posix.mkdir("/proc")
posix.mkdir("/sys")
posix.chmod("/sys", 0555)
st = posix.stat("/media")
if st and st.type == "link" then
  os.remove("/media")
end
posix.mkdir("/var")
return 0
%posttrans -p <lua>
if posix.access("/usr/sbin/restorecon", "x") then
  rpm.execute("/usr/sbin/restorecon", "/var", "/sys", "/boot")
  rpm.execute("/usr/sbin/restorecon", "-r", "/usr/lib/fydebug")
end
"""),
    "release": ("", {"/usr/lib/fyos/os-release-server": "VARIANT_ID=server\n", "/usr/lib/fyos/os-release-none": "NONE=1\n", "/usr/lib/fyos/presets/80-server.preset": "enable fy-web.service\n"}, """%post -p <lua>
local function set_release(name)
  os.remove("/usr/lib/fyos/os-release")
  assert(posix.symlink("./os-release-" .. name, "/usr/lib/fyos/os-release"))
end
local function read_variant()
  local f = io.open("/usr/lib/fyos/variant", "r")
  if not f then return nil end
  local line = f:read("l")
  f:close()
  return line
end
if arg[2] == "0" then set_release("none") end
if read_variant() == nil then
  set_release("server")
  local f = io.open("/usr/lib/fyos/variant", "w")
  f:write("server\\n")
  f:close()
end
local dirs = posix.dir("/usr/lib/fyos/presets")
table.sort(dirs)
local all = io.open("/usr/lib/fyos/listed", "w")
for _, name in ipairs(dirs) do if name:match("%%.preset$") then all:write(name, "\\n") end end
all:close()
"""),
    "setup2": ("", {"%config(noreplace) /etc/fy-services": "a\n", "%config(noreplace) /etc/fy-aliases": "root: x\n"}, """%post -p <lua>
for i, name in ipairs({"passwd", "shadow", "group", "gshadow"}) do
  os.remove("/etc/" .. name .. ".rpmnew")
end
if posix.access("/usr/bin/newaliases", "x") then
  local pid = posix.fork()
  if pid == 0 then
    posix.redirect2null(1)
    posix.exec("/usr/bin/newaliases")
  elseif pid > 0 then
    posix.wait(pid)
  end
end
"""),
    # ---- users ----
    "postfix": ("Requires(post): dpkg, openssl, hostname\n", {
        "%attr(2755,root,postdrop) /usr/sbin/postdrop": "#!/bin/sh\n", "%dir %attr(0700,postfix,root) /var/lib/fypostfix/": "", "%dir %attr(0730,postfix,postdrop) /var/spool/fypostfix/maildrop/": "",
        "%config(noreplace) /etc/fypostfix/main.cf": "inet_interfaces = localhost\n#queue = x\n", "/usr/sbin/sendmail.fypostfix": "#!/bin/sh\n", "/usr/bin/mailq.fypostfix": "#!/bin/sh\n", "/usr/share/man/man1/mailq.fypostfix.1.gz": "x",
        UNITS + "fy-postfix.service": service("postfix")}, """%pre
# Add user and groups if necessary
/usr/sbin/groupadd -g 90 -r postdrop 2>/dev/null
/usr/sbin/groupadd -g 89 -r postfix 2>/dev/null
/usr/sbin/groupadd -g 112 -r mailers 2>/dev/null
/usr/sbin/useradd -d /var/spool/fypostfix -s /sbin/nologin -g postfix -G mailers -M -r -u 89 postfix 2>/dev/null
exit 0
%post
%systemd_post fy-postfix.service
/usr/bin/update-alternatives --install /usr/sbin/sendmail fy-mta /usr/sbin/sendmail.fypostfix 60 --slave /usr/bin/mailq fy-mta-mailq /usr/bin/mailq.fypostfix --slave /usr/share/man/man1/mailq.1.gz fy-mta-mailqman /usr/share/man/man1/mailq.fypostfix.1.gz
if [ -f /usr/lib/sasl2/smtpd.conf ]; then
    mv -f /usr/lib/sasl2/smtpd.conf /etc/sasl2/smtpd.conf
    /sbin/restorecon /etc/sasl2/smtpd.conf 2> /dev/null
fi
sed -i "s/^#queue = .*/queue = $(stat -c %%U:%%G /var/spool/fypostfix/maildrop)/" /etc/fypostfix/main.cf
# a key of this host only
if [ ! -f /etc/pki/fy/private/postfix.key ]; then
    mkdir -p /etc/pki/fy/private /etc/pki/fy/certs
    umask 077
    openssl genrsa 2048 > /etc/pki/fy/private/postfix.key 2> /dev/null
    openssl req -new -x509 -days 365 -subj "/CN=$(hostname)" -key /etc/pki/fy/private/postfix.key -out /etc/pki/fy/certs/postfix.pem 2> /dev/null
    chmod 0644 /etc/pki/fy/certs/postfix.pem
fi
exit 0
"""),
    "libvirt": ("", {"%dir %attr(0751,qemu,qemu) /var/lib/fyqemu/": "", "/usr/share/fyvirt/default.xml": "<network>\n  <name>default</name>\n</network>\n", "%ghost /etc/fyvirt/networks/default.xml": "0600"}, """%pre
getent group kvm >/dev/null || groupadd -f -g 36 -r kvm
getent group qemu >/dev/null || groupadd -f -g 107 -r qemu
if ! getent passwd qemu >/dev/null; then
  if ! getent passwd 107 >/dev/null; then
    useradd -r -u 107 -g qemu -G kvm -d / -s /sbin/nologin -c "qemu user" qemu
  else
    useradd -r -g qemu -G kvm -d / -s /sbin/nologin -c "qemu user" qemu
  fi
fi
exit 0
%post
if test $1 -eq 1 && test ! -f /etc/fyvirt/networks/default.xml ; then
  sub=122
  used=" $(awk '/192[.]168/ { print $2 }' /proc/net/route 2>/dev/null) "
  for octet in $(seq 124 254); do case $used in *" $octet "*) ;; *) sub=$octet; break;; esac; done
  mkdir -p -m 0755 /etc/fyvirt/networks/autostart
  umask 077
  sed -e "s,</name>,</name>\\n  <subnet>$sub</subnet>," < /usr/share/fyvirt/default.xml > /etc/fyvirt/networks/default.xml
  ln -s ../default.xml /etc/fyvirt/networks/autostart/default.xml
fi
"""),
    "docker": ("", {UNITS + "fy-docker.service": service("docker"), UNITS + "fy-docker.socket": "[Unit]\nDescription=s\n[Socket]\nListenStream=/run/fy.sock\n[Install]\nWantedBy=sockets.target\n"}, """%pre
if [ $1 -gt 0 ] ; then
    # package upgrade scenario, before new files are installed
    rm -f /var/lib/rpm-state/fy-docker-is-active > /dev/null 2>&1 || :
    if systemctl is-active fy-docker > /dev/null 2>&1; then
        mkdir -p /var/lib/rpm-state > /dev/null 2>&1 || :
        touch /var/lib/rpm-state/fy-docker-is-active > /dev/null 2>&1 || :
    fi
fi
%post
if ! getent group docker > /dev/null; then
    groupadd --system docker
fi
%systemd_post fy-docker.service fy-docker.socket
%posttrans
if [ $1 -ge 0 ] ; then
    if [ -f /var/lib/rpm-state/fy-docker-is-active ]; then
        systemctl start fy-docker.service > /dev/null 2>&1 || :
        rm -f /var/lib/rpm-state/fy-docker-is-active > /dev/null 2>&1 || :
    fi
fi
"""),
    "mariadb": ("", {"/usr/lib/sysusers.d/fymysql.conf": "u mysql 327 \"MySQL Server\" /var/lib/mysql -\n", "/usr/lib/tmpfiles.d/fymysql.conf": "d /run/fymysql 0755 mysql mysql -\nd /var/lib/fymysql-files 0750 mysql mysql -\n",
                     "%dir %attr(0755,mysql,mysql) /var/lib/fymysql/": "", "%dir %attr(0750,mysql,mysql) /var/log/fymysql/": "", "%ghost %config(noreplace) %attr(0640,mysql,mysql) /var/log/fymysql/mysqld.log": "",
                     UNITS + "fy-mariadb.service": service("mariadb", "Alias=fy-mysql.service fy-mysqld.service\n")}, """%pre
# generated from mysql.sysusers.conf
systemd-sysusers --replace=/usr/lib/sysusers.d/fymysql.conf - <<SYSTEMD_INLINE_EOF || :
u mysql 327 "MySQL Server" /var/lib/mysql -
SYSTEMD_INLINE_EOF
%post
%systemd_post fy-mariadb.service
%tmpfiles_create /usr/lib/tmpfiles.d/fymysql.conf
if [ ! -f /var/log/fymysql/mysqld.log ]; then install -o mysql -g mysql -m 0640 /dev/null /var/log/fymysql/mysqld.log; fi
"""),
    "tcsd": ("", {"%attr(0600,tss,tss) /etc/fy-tcsd.conf": "port\n"}, """%pre
getent group tss >/dev/null || groupadd -f -g 59 -r tss
if ! getent passwd tss >/dev/null ; then
    if ! getent passwd 59 >/dev/null ; then
      useradd -r -u 59 -g tss -d /dev/null -s /sbin/nologin -c "Account used for TPM access" tss
    else
      useradd -r -g tss -d /dev/null -s /sbin/nologin -c "Account used for TPM access" tss
    fi
fi
usermod -c "TPM access" tss
usermod -a -G daemon tss
gpasswd -a tss sys >/dev/null || :
exit 0
"""),
    "sshkeys": ("", {"%config(noreplace) %attr(0600,root,root) /etc/fyssh/sshd_config": "Port 22\n", "/usr/libexec/fyssh/": "0755"}, """%pre
getent group ssh_keys >/dev/null || groupadd -r ssh_keys || :
%post
test -f /etc/fyssh/sshd_config && sed -i -e 's/^Port/#Port/' -e '$aUsePAM yes' /etc/fyssh/sshd_config
for key in /etc/fyssh/ssh_host_*_key; do
    test -f $key || continue
    chgrp ssh_keys $key && chmod 0640 $key
done
ssh-keygen -A >/dev/null 2>&1 || :
"""),
    # ---- services, configuration ----
    "nm": ("", {UNITS + "fy-nm.service": service("nm", "Also=fy-nm-dispatcher.service\n"), UNITS + "fy-nm-dispatcher.service": service("d", "Alias=dbus-org.fy.nm_dispatcher.service\n"), "/etc/fynm/dispatcher.d/": "0755", "/etc/fynm/conf.d/": "0755",
                "/usr/lib/fynm/dispatcher.d/10-x": "#!/bin/sh\n"}, """%post
# skip triggering if udevd isn't even accessible
if [ -S /run/udev/control ]; then
    udevadm control --reload-rules || :
    udevadm trigger --subsystem-match=net || :
fi
%systemd_post fy-nm.service fy-nm-dispatcher.service
%posttrans
if [ -d /usr/lib/fynm/conf.d ] && test -f /etc/fynm/conf.d/00-server.conf; then mv /etc/fynm/conf.d/00-server.conf /etc/fynm/conf.d/00-server.conf.bak; fi
for dir in /usr/lib/fynm/dispatcher.d /etc/fynm/dispatcher.d; do
    [ -d "$dir" ] && find "$dir" -type f -name '[0-9]*' | sort | sed "s,^,$(basename "$dir") ,"
done > /var/lib/fynm.list
%transfiletriggerin -- /usr/lib/fynm/dispatcher.d /etc/fynm
systemctl daemon-reload || :
systemctl try-restart fy-nm.service || :
exit 0
"""),
    "chrony": ("", {UNITS + "fy-chronyd.service": service("chronyd"), "%config(noreplace) /etc/fy-chrony.conf": "pool x iburst\n#keyfile\n", "%dir %attr(0750,chronyd2,chronyd2) /var/lib/fychrony/": ""}, """%pre
getent group chronyd2 > /dev/null || /usr/sbin/groupadd -r -g 321 chronyd2
getent passwd chronyd2 > /dev/null || /usr/sbin/useradd -r -g chronyd2 -u 321 -d /var/lib/fychrony -s /sbin/nologin -c "chrony system user" chronyd2
:
%post
# workaround for late reload of unit file
/usr/bin/systemctl daemon-reload >/dev/null 2>&1 || :
# migrate from chrony-helper
if test -a /etc/sysconfig/network -o -a /etc/dhcp/fy; then
    echo "sourcedir /run/fy-dhcp" >> /etc/fy-chrony.conf
fi
%systemd_post fy-chronyd.service
"""),
    "web": ("", {UNITS + "fy-web.service": service("web"), UNITS + "fy-web@.service": service("web %i", "DefaultInstance=main\n"), "%dir %attr(0700,root,root) /var/log/fyweb/": "", "/usr/share/fyweb/index.html": "x\n", "/var/www/fy/html": "-> ../../../usr/share/fyweb"},
            """%post
%systemd_post fy-web.service fy-web@.service
%posttrans
test -f /etc/sysconfig/fyweb-disable-posttrans || /bin/systemctl try-restart fy-web.service fy-web@*.service >/dev/null 2>&1 || :
"""),
    "sudo": ("", {"%config(noreplace) %attr(0440,root,root) /etc/fy-sudoers": "root ALL=(ALL) ALL\n"}, """%post
/bin/chmod 0440 /etc/fy-sudoers || :
"""),
    "semanage": ("", {"/etc/fyselinux/targeted/policy/": "0755", "%ghost %config(noreplace) /etc/fyselinux/config": "0644", "%ghost /etc/sysconfig/fyselinux": "", "/usr/share/fyselinux/default": "module\n"}, """%post
# Build a policy configuration where there is none
if [ ! -s /etc/fyselinux/config ]; then
echo "
# This file controls the state of SELinux on the system.
#     enforcing - SELinux security policy is enforced.
SELINUX=enforcing
SELINUXTYPE=targeted

" > /etc/fyselinux/config
     mkdir -p /etc/sysconfig
     ln -sf /etc/fyselinux/config /etc/sysconfig/fyselinux
     restorecon /etc/fyselinux/config 2> /dev/null || :
else
     . /etc/fyselinux/config
fi
exit 0
%posttrans
if [ -s /etc/fyselinux/config ]; then . /etc/fyselinux/config; fi
if [ "$SELINUXTYPE" = "targeted" ]; then
    (cd /etc/fyselinux/targeted; rm -rf active.tmp; mkdir -m 0700 -p active/modules/100/base; cp /usr/share/fyselinux/default active/modules/100/base/cil; printf '100\\n' > active/modules/100/base/lang_ext; touch active/.policy.lock)
    semodule -B -n -s targeted 2> /dev/null || :
fi
selinuxenabled 2>/dev/null && semodule -nB; exit 0
%triggerin -- pcre2
selinuxenabled && semodule -nB 2> /dev/null
exit 0
"""),
    "contselinux": ("", {"/usr/share/fyselinux/packages/container.pp.bz2": "pp\n"}, """%pre
if [ -x /usr/sbin/selinuxenabled ] && /usr/sbin/selinuxenabled; then
  [ -f /var/lib/rpm-state/file_contexts.pre ] || cp -f /etc/selinux/targeted/contexts/files/file_contexts /var/lib/rpm-state/file_contexts.pre
fi
%post
. /etc/fyselinux/config 2>/dev/null || exit 0
_policytype=targeted
if [ "${SELINUXTYPE}" = "${_policytype}" ]; then
  mkdir -p /etc/fyselinux/${_policytype}/active/modules/200/container && cp /usr/share/fyselinux/packages/container.pp.bz2 /etc/fyselinux/${_policytype}/active/modules/200/container/hll || :
  [ -x /usr/sbin/selinuxenabled ] && /usr/sbin/selinuxenabled && load_policy || :
fi
""", "Requires(post): fy-semanage\n"),
    "crypto": ("", {"/usr/share/fycrypto/DEFAULT/openssl.txt": "o\n", "/usr/share/fycrypto/DEFAULT/krb5.txt": "k\n", "/etc/fycrypto/back-ends/": "0755", "/etc/fycrypto/state/": "0755", "%ghost %config(noreplace) /etc/fycrypto/config": "", "%ghost /etc/fycrypto/back-ends/openssl.config": ""}, """%pretrans -p <lua>
if posix.access("/usr/bin/fy-update-crypto-policies") then
  rpm.execute("/usr/bin/fy-update-crypto-policies", "--is-applied")
end
%post -p <lua>
if not posix.access("/etc/fycrypto/config") then
  local policy = "DEFAULT"
  local cf = io.open("/proc/sys/crypto/fips_enabled", "r")
  if cf then
    if cf:read() == "1" then policy = "FIPS" end
    cf:close()
  end
  cf = io.open("/etc/fycrypto/config", "w")
  if cf then cf:write(policy .. "\\n") cf:close() end
  cf = io.open("/etc/fycrypto/state/current", "w")
  if cf then cf:write(policy .. "\\n") cf:close() end
  local back_ends = "/usr/share/fycrypto/" .. policy .. "/"
  for _, fn in ipairs(posix.dir(back_ends)) do
    local name = string.gsub(fn, "%%.txt$", "")
    if fn ~= "." and fn ~= ".." then
      os.remove("/etc/fycrypto/back-ends/" .. name .. ".config")
      posix.symlink(back_ends .. fn, "/etc/fycrypto/back-ends/" .. name .. ".config")
    end
  end
end
%posttrans
fy-update-crypto-policies --no-check >/dev/null 2>/dev/null || :
"""),
    # ---- alternatives ----
    "java": ("Requires(post): dpkg\n", {**{f"/usr/lib/jvm/fy-21/bin/{p}": "#!/bin/sh\n" for p in ("java", "keytool", "rmiregistry")}, "/usr/lib/jvm/fy-21/man/man1/java.1": "man\n", "%ghost /usr/bin/fyjava": "0755"}, """%post
PRIORITY=00000002100
if [ "$1" -gt 1 ]; then
  PRIORITY=1
fi
ext=.gz
key=fyjava
arguments="--install /usr/bin/fyjava $key /usr/lib/jvm/fy-21/bin/java $((10#$PRIORITY))"
for X in keytool rmiregistry ; do
  arguments="$arguments --slave /usr/bin/fy$X fy$X /usr/lib/jvm/fy-21/bin/$X"
done
update-alternatives $arguments
for X in fy-21 fy-openjdk ; do
  update-alternatives --install /usr/lib/jvm/jre-"$X" jre_"$X" /usr/lib/jvm/fy-21 $((10#$PRIORITY))
done
update-desktop-database /usr/share/applications &> /dev/null || :
exit 0
"""),
    "java17": ("Requires(post): dpkg\n", {"/usr/lib/jvm/fy-17/bin/java": "#!/bin/sh\n"}, """%post
update-alternatives --install /usr/bin/fyjava fyjava /usr/lib/jvm/fy-17/bin/java 1700
"""),
    "python": ("Requires(post): dpkg\n", {"/usr/bin/fypython3": "#!/bin/sh\n", "/usr/share/man/man1/fypython3.1.gz": "m", "%ghost /usr/bin/fypython": "0755"}, """%post
update-alternatives --install /usr/bin/fypython fy-unversioned /usr/bin/fypython3 404 \\
                   --slave /usr/share/man/man1/fypython.1.gz fy-unversioned-man /usr/share/man/man1/fypython3.1.gz
%posttrans
# Alternative for /usr/bin/python -> /usr/bin/python3 + man page
update-alternatives --install /usr/bin/fypython fy-unversioned /usr/bin/fypython3 300 || :
"""),
    "iptables": ("Requires(post): dpkg\n", {**{f"/usr/sbin/fytables{x}-nft": "#!/bin/sh\n" for x in ("", "-save", "-restore")}, "%ghost /usr/sbin/fytables": ""}, """%post
pfx=/usr/sbin/fytables
update-alternatives --install \\
    $pfx fytables $pfx-nft 10 \\
    --slave $pfx-save fytables-save $pfx-save-nft \\
    --slave $pfx-restore fytables-restore $pfx-restore-nft
"""),
    "editor": ("Requires(post): dpkg\n", {"/usr/bin/fyvim": "#!/bin/sh\n", "/usr/bin/fynano": "#!/bin/sh\n", "/etc/profile.d/fy.sh": "x\n"}, """%post
update-alternatives --install /usr/bin/fyeditor fyeditor /usr/bin/fyvim 50
update-alternatives --install /usr/bin/fyeditor fyeditor /usr/bin/fynano 40
update-alternatives --set fyeditor /usr/bin/fynano
"""),
    # ---- kernel ----
    "kernel": ("Requires(post): fy-tools\n", {"/usr/lib/fymodules/6.17.1-fy/vmlinuz": "kernel\n", "/usr/lib/fymodules/6.17.1-fy/config": "CONFIG=y\n", "/usr/lib/fymodules/6.17.1-fy/symvers.xz": "s\n", "%ghost %attr(0755,root,root) /boot/vmlinuz-6.17.1-fy": "", "%ghost %attr(0600,root,root) /boot/initramfs-6.17.1-fy.img": "",
                                              "%ghost /boot/symvers-6.17.1-fy.xz": "", "%ghost /boot/config-6.17.1-fy": ""}, """%pre
mkdir -p /var/lib/rpm-state/fykernel
touch /var/lib/rpm-state/fykernel/installing_core_6.17.1-fy
%posttrans
rm -f /var/lib/rpm-state/fykernel/installing_core_6.17.1-fy
if [ ! -e /run/ostree-booted ]; then
   if [ -x /usr/sbin/weak-modules ]; then
      /usr/sbin/weak-modules --add-kernel 6.17.1-fy || exit $?
   fi
   /usr/bin/fy-kernel-install add 6.17.1-fy /lib/fymodules/6.17.1-fy/vmlinuz || exit $?
   if [[ ! -e "/boot/symvers-6.17.1-fy.xz" ]]; then
      cp "/lib/fymodules/6.17.1-fy/symvers.xz" "/boot/symvers-6.17.1-fy.xz"
      if command -v restorecon &>/dev/null; then
         restorecon "/boot/symvers-6.17.1-fy.xz"
      fi
   fi
fi
"""),
    "grub": ("", {"%dir %attr(0700,root,root) /boot/fygrub2/": "", "%ghost %config(noreplace) %attr(0600,root,root) /boot/fygrub2/grub.cfg": "", "%config(noreplace) %attr(0700,root,root) /etc/fygrub.d/40_custom": "#!/bin/sh\n", "%ghost %config(noreplace) /etc/default/fygrub": ""}, """%post
if [ -f /etc/default/fygrub ]; then
    ! grep -q '^GRUB_DISABLE_RECOVERY=.*' /etc/default/fygrub && echo 'GRUB_DISABLE_RECOVERY="true"' >> /etc/default/fygrub
    sed -i 's/GRUB_HIDDEN_TIMEOUT/#GRUB_HIDDEN_TIMEOUT/g' /etc/default/fygrub
fi
if [ -f /boot/fygrub2/user.cfg ]; then
    if grep -q '^GRUB_PASSWORD=' /boot/fygrub2/user.cfg ; then
        sed -i 's/^GRUB_PASSWORD=/GRUB2_PASSWORD=/' /boot/fygrub2/user.cfg
    fi
fi
%posttrans
set -eu
EFI_HOME=/boot/efi/EFI/fy
GRUB_HOME=/boot/fygrub2
if ! mountpoint -q /boot/efi; then
    exit 0
fi
echo not > ${GRUB_HOME}/grub.cfg
"""),
    "hyperv": ("", {UNITS + "fy-kvpd.service": service("kvp"), "%dir /var/lib/fyhyperv/": "0755", "/usr/libexec/fyhypervkvpd/x": "#!/bin/sh\n"}, """%post
if [ $1 -gt 1 ] ; then
	# Upgrade
	systemctl --no-reload disable fy-kvpd.service >/dev/null 2>&1 || :
fi
%systemd_post fy-kvpd.service
"""),
    "waagent": ("", {UNITS + "fy-waagent.service": service("wa", "Alias=fy-walinuxagent.service\n"), "%config(noreplace) /etc/fy-waagent.conf": "Provisioning.Agent=auto\nResourceDisk.Format=y\n", "%ghost %attr(0644,root,root) /var/log/fy-waagent.log": "", "%dir %attr(0700,root,root) /var/lib/fywaagent/": ""}, """%post
%systemd_post fy-waagent.service
if [ $1 -eq 1 ]; then
    perl -pi -e 's/^ResourceDisk.Format=y/ResourceDisk.Format=n/' /etc/fy-waagent.conf 2>/dev/null || sed -i 's/^ResourceDisk.Format=y/ResourceDisk.Format=n/' /etc/fy-waagent.conf
fi
touch /var/log/fy-waagent.log
"""),
    # ---- caches by file triggers ----
    "glib2": ("Requires: libglib2.0-bin\n", {"/usr/lib/fygio/modules/": "0755", "%ghost /usr/share/glib-2.0/schemas/gschemas.compiled": ""}, """%transfiletriggerin -- /usr/lib/fygio/modules
gio-querymodules /usr/lib/fygio/modules &> /dev/null || :
%transfiletriggerin -- /usr/share/glib-2.0/schemas
glib-compile-schemas /usr/share/glib-2.0/schemas &> /dev/null || :
"""),
    "schemas": ("", {"/usr/share/glib-2.0/schemas/org.fy.gschema.xml": '<schemalist><schema id="org.fy" path="/org/fy/"><key name="a" type="i"><default>7</default></key></schema></schemalist>\n',
                     "/usr/share/glib-2.0/schemas/10_org.fy.gschema.override": "[org.fy]\na=9\n"}, ""),
    "mime": ("Requires: shared-mime-info\n", {}, """%post
# Should fail, as it would mean a problem in the mime database
touch --no-create /usr/share/mime/packages &> /dev/null ||:
%transfiletriggerin -- /usr/share/mime
update-mime-database -n /usr/share/mime &> /dev/null ||:
"""),
    "mimeuser": ("", {"/usr/share/mime/packages/fy.xml": '<?xml version="1.0"?><mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info"><mime-type type="application/x-fy"><comment>f</comment><glob pattern="*.fy"/></mime-type></mime-info>\n'}, ""),
    "desktop": ("Requires: desktop-file-utils\n", {}, """%transfiletriggerin -- /usr/share/applications
update-desktop-database -q &> /dev/null || :
"""),
    "desktopuser": ("", {"/usr/share/applications/fy.desktop": "[Desktop Entry]\nType=Application\nName=Fy\nExec=fy\nMimeType=application/x-fy;text/plain;\n"}, ""),
    "info": ("Requires: install-info, gzip\n", {"%ghost %config(noreplace) /usr/share/info/dir": "0644"}, """%transfiletriggerin -- /usr/share/info
[ -f /usr/share/info/dir ] && create_arg="" || create_arg="--create"
fy-fix-info-dir $create_arg /usr/share/info/dir &>/dev/null
"""),
    "infouser": ("Requires(post): install-info\n", {"/usr/share/info/fy.info": "INFO-DIR-SECTION Tools\nSTART-INFO-DIR-ENTRY\n* Fy: (fy).   A tool.\nEND-INFO-DIR-ENTRY\n", "/usr/share/info/fz.info": "INFO-DIR-SECTION Tools\nSTART-INFO-DIR-ENTRY\n* Fz: (fz).   Another.\nEND-INFO-DIR-ENTRY\n"}, ""),
    "watchdocs": ("", {}, """%filetriggerin -- /usr/share/doc /usr/share/fydata
cat >> /var/lib/fy-docs
%transfiletriggerin -- /usr/share/doc/fy /usr/share/fydata
echo whole >> /var/lib/fy-docs; cat >> /var/lib/fy-docs
"""),
    "docs": ("Requires: fy-watchdocs\n", {"%doc /usr/share/doc/fy/README": "x\n", "/usr/share/fydata/a": "a\n", "%doc /usr/share/fydata/manual/b": "b\n", "%dir /usr/share/fydata/manual/": "0755", "%ghost /usr/share/fydata/g": "", "%doc %ghost /usr/share/fydata/h": ""}, ""),
    "icons": ("", {"/usr/share/icons/fycolor/index.theme": "[Icon Theme]\n", "%ghost /usr/share/icons/fycolor/icon-theme.cache": ""}, """%transfiletriggerin -- /usr/share/icons/fycolor
touch --no-create /usr/share/icons/fycolor &>/dev/null || :
gtk-update-icon-cache --force /usr/share/icons/fycolor &>/dev/null || sort > /usr/share/icons/fycolor/icon-theme.cache
"""),
    "iconuser": ("", {"/usr/share/icons/fycolor/16x16/a.png": "a\n", "/usr/share/icons/fycolor/32x32/a.png": "b\n"}, ""),
    "pixbuf": ("", {"/usr/lib64/fy-pixbuf/2.10.0/loaders/": "0755", "%ghost /usr/lib64/fy-pixbuf/2.10.0/loaders.cache": ""}, """%transfiletriggerin -- /usr/lib64/fy-pixbuf/2.10.0/loaders
fy-query-loaders-64 --update-cache || :
"""),
    "pixuser": ("", {"/usr/lib64/fy-pixbuf/2.10.0/loaders/libfy-svg.so": "x\n"}, ""),
    "mandb": ("", {"%dir %attr(0755,root,root) /var/cache/fyman/": ""}, """%pre
# Clear the old cache
rm -rf /var/cache/fyman/*
%transfiletriggerin -- /usr/share/man
# update cache
if [[ ! "$SYSTEMD_OFFLINE" == "1" ]] && [ -d /run/systemd/system ]; then
  /usr/bin/systemd-run /usr/bin/systemctl start man-db-cache-update >/dev/null 2>&1 || :
else
  wc -l > /var/cache/fyman/index
fi
"""),
    "rubygems": ("", {"/usr/share/fygems/specifications/b.gemspec": "b\n", "/usr/share/fygems/specifications/a.gemspec": "a\n"}, """%transfiletriggerin -p /bin/bash -- /usr/share/fygems/specifications /usr/share/fygems/other/
declare -a all
while IFS= read -r line; do [[ $line == *.gemspec ]] && all+=("${line##*/}"); done
printf '%%s\\n' "${all[@]}" | sort > /usr/share/fygems/index
"""),
    "gems2": ("", {"/usr/share/fygems/specifications/c.gemspec": "c\n", "/usr/share/fygems/other/d.gemspec": "d\n", "/usr/share/fygems/other-not/e.gemspec": "e\n"}, ""),
    "efi": ("", {"/boot/efi/EFI/fy/shim.efi": "s\n", "/boot/fy-vmlinuz": "k\n"}, """%transfiletriggerin -P 1 -- /boot /efi /usr/lib/fyefi
if grep -q -m 1 -e '\\.efi$' -e '/vmlinuz$'; then
    exec </dev/null
    echo signed > /var/lib/fy-signed
fi
"""),
    # ---- things that come before and after ----
    "trig": ("", {"/usr/share/fytrig": "x\n"}, """%triggerin -- fy-web < 2, fy-docker
echo "$1 $2 triggered" >> /var/lib/fytrig.log
%triggerprein -p <lua> -- fy-web
local f = io.open("/var/lib/fytrig.log", "a")
f:write("prein ", tostring(arg[2]), " ", tostring(arg[3]), "\\n")
f:close()
%triggerpostun -- fy-old
echo never >> /var/lib/fytrig.log
%triggerin -p /bin/bash -- fy-sh, fy-nothing
shopt -s extglob
for f in /usr/share/fy+(trig|none); do echo "$f $1 $2"; done >> /var/lib/fytrig.log
""", "Requires(post): fy-web, fy-docker\n"),
    "opt": ("", {"/opt/fyco/bin/tool": "#!/bin/sh\n", "/opt/fyco/lib/libx.so": "x\n", "/opt/fyco/etc/default.conf": "a=1\n"}, """%pre
if id -u fyco > /dev/null 2>&1; then
    echo there
else
    groupadd --force --system fyco
    useradd --system --gid fyco --home-dir /opt/fyco --no-create-home --shell /usr/sbin/nologin --comment "Fyco, Inc" --password '!' fyco
fi
%post
# what vendors do
set -e
case "$1" in
    1|configure) ;;
    *) exit 0 ;;
esac
mkdir -p /var/opt/fyco/{log,run,"with space"}
cp -n /opt/fyco/etc/default.conf /etc/fyco.conf
chown -R fyco:fyco /var/opt/fyco /opt/fyco/etc
chmod -R g-w,o= /var/opt/fyco
mkdir -p /usr/local/bin; ln -sf /opt/fyco/bin/tool /usr/local/bin/fytool
ln -sfn /opt/fyco/lib /usr/lib/fyco
touch -d '2001-02-03' /var/opt/fyco/log/first
install -d -o fyco -g fyco -m 2770 /var/opt/fyco/shared
cat > /etc/cron.d/fyco <<-EOF
	0 * * * * fyco /opt/fyco/bin/tool --home "$(getent passwd fyco | cut -d: -f6)"
EOF
crontab -l 2>/dev/null || :
[ -d /etc/init.d ] && cp /opt/fyco/bin/tool /etc/init.d/fyco || :
type chkconfig >/dev/null 2>&1 && chkconfig --add fyco || :
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
systemctl enable fy-web.service >/dev/null 2>&1 || :
tar -C /opt/fyco -cf - bin | tar -C /var/opt/fyco -xf -
logger -t fyco "installed" 2>/dev/null || :
exit 0
"""),
    "nvme": ("", {"/etc/fynvme/": "0755"}, """%post
if [ $1 -eq 1 ]; then # 1 : This package is being installed for the first time
	if [ -f /etc/fynvme/hostnqn ]; then echo kept; else echo "nqn.fixed" > /etc/fynvme/hostnqn; fi
        # apply udev and systemd changes that we did
	systemctl enable fy-nm.service >/dev/null 2>&1 || :
	udevadm control --reload-rules && udevadm trigger || :
fi
"""),
    "acl": ("", {"/var/lib/fyacl/": "0755", "/usr/bin/fyping": "#!/bin/sh\n"}, """%post
setcap cap_net_raw,cap_net_admin+ep /usr/bin/fyping || chmod u+s /usr/bin/fyping
chmod 01777 /var/lib/fyacl
mkdir -m 0711 /var/lib/fyacl/d; mkfifo -m 0620 /var/lib/fyacl/p; ln -s "$(printf 'odd\\tname')" /var/lib/fyacl/l
: > "/var/lib/fyacl/a b"; : > /var/lib/fyacl/$'new\\nline'; : > /var/lib/fyacl/-dash
chgrp -h mail /var/lib/fyacl/l; chown daemon:mail /var/lib/fyacl/p
"""),
}


def build(kit, taken):
    """(RPM files, names, number of scriptlets)."""
    macros = kit.dir / "macros.fedora2"
    macros.write_text(MACROS)
    rpms, names, count = [], [], 0

    def package(name, tags, files, sections):
        install, listed = [], []
        for path, content in sorted(files.items()):
            marks, _, plain = path.rpartition(" ")
            if plain.rstrip("/") in taken:
                continue
            where = "%{buildroot}" + plain
            if plain.endswith("/"):
                install.append(f"mkdir -p '{where}'")
                listed.append(f"{marks or '%dir'} {'' if '%attr' in marks else f'%attr({content},root,root) '}{plain.rstrip('/')}")
            elif content.startswith("-> "):
                install.append(f"mkdir -p $(dirname '{where}'); ln -s '{content[3:]}' '{where}'")
                listed.append(plain)
            elif "%ghost" in marks:
                listed.append(marks + (' ' if '%attr' in marks else f' %attr({content or "0644"},root,root) ') + plain)
            else:
                data = kit.dir / "data2" / name / plain[1:]
                data.parent.mkdir(parents=True, exist_ok=True)
                data.write_text(content)
                mode = "0755" if content.startswith("#!") else "0644"
                install.append(f"install -D -m {mode} '{data}' '{where}'")
                listed.append(f"{marks} {'' if '%attr' in marks else f'%attr({mode},root,root) '}{plain}")
        rpms.append(kit.build(name, "1.0", "1.fc43", tags=tags, install="\n".join(install) or "true", files="\n".join(listed), more=sections, macros=macros))
        names.append(name)

    units = []
    for name, (tags, files, sections, *more) in sorted(SET.items()):
        package("fy-" + name, tags + "".join(more) + NEEDS, files, sections)
        count += len(re.findall(r"^%(?:pre|post|trigger|file|transfile)", sections, re.M))
        units += [p[len(UNITS):] for p in files if p.startswith(UNITS)]
    package("fy-setup", "Requires: base-passwd\n", {"%config(noreplace) %attr(0000,root,root) /etc/shadow": "", "%config(noreplace) %attr(0000,root,root) /etc/gshadow": ""}, "")
    package("fy-sh", "Provides: /bin/sh\nRequires: bash\n", {"/usr/bin/sh": "-> bash"}, "")
    package("fy-tools", "Requires: fy-sh\n", {
        "/usr/lib/systemd/systemd-update-helper": HELPER, "/usr/lib/systemd/system-preset/10-fy.preset": "".join(f"{'enable' if len(u) % 2 else 'disable'} {u}\n" for u in sorted(units)),
        "/usr/bin/fy-kernel-install": "#!/bin/bash\nset -e\n[[ $1 == add ]]\ncp --preserve=mode \"$3\" /boot/vmlinuz-$2; cp \"${3%/*}/config\" /boot/config-$2\n( umask 077; find /usr/lib/fymodules/$2 | sort > /boot/initramfs-$2.img )\n",
        "/usr/bin/fy-fix-info-dir": "#!/bin/bash\nfor f in /usr/share/info/f?.info; do install-info --dir-file=/usr/share/info/dir $f; done\n",
        "/usr/bin/fy-query-loaders-64": "#!/bin/sh\nls /usr/lib64/fy-pixbuf/2.10.0/loaders > /usr/lib64/fy-pixbuf/2.10.0/loaders.cache\n"}, "")
    package("pcre2", "", {"/usr/share/pcre2-of-the-set": "x\n"}, "")
    return rpms, names, count
