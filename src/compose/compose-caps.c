/* File capabilities: text as rpm headers have it, bytes as the kernel wants them. */
#include <endian.h>
#include "compose.h"

/* linux/capability.h; the place in the table is the number. */
static const char *const cap_names[] = {
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
        "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
        "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
};
enum { REVISION_2 = 0x02000000 };

typedef struct Sets {
        uint64_t e, p, i;
} Sets;

static int mask_of(AshSlice names, uint64_t *ret) {
        AshSlice name;
        *ret = 0;
        if (!names.len || ash_slice_eqs(names, "all")) {
                *ret = (1ULL << ASH_N(cap_names)) - 1;
                return 0;
        }
        while (ash_slice_split(&names, ',', &name)) {
                size_t k = 0;
                char text[32];
                for (; k < ASH_N(cap_names); k++) {
                        snprintf(text, sizeof text, "cap_%s", cap_names[k]);
                        if (ash_slice_eq_nocase(name, ash_slice_str(text)))
                                break;
                }
                if (k == ASH_N(cap_names))
                        return -EINVAL;
                *ret |= 1ULL << k;
        }
        return 0;
}

static void apply(Sets *s, uint64_t mask, char operator, unsigned flags) {
        uint64_t *const sets[] = { &s->e, &s->p, &s->i };
        for (unsigned k = 0; k < 3; k++) {
                if (operator == '=')
                        *sets[k] &= ~mask;
                if (flags & 1U << k)
                        *sets[k] = operator == '-' ? *sets[k] & ~mask : *sets[k] | mask;
        }
}

/* One clause: names, then operators each with flags: "cap_chown,cap_kill=p+e". */
static int clause(AshSlice text, Sets *s) {
        uint64_t mask;
        size_t at = 0;
        while (at < text.len && !strchr("=+-", text.ptr[at]))
                at++;
        if (at == text.len)
                return -EINVAL;
        if (!at && text.ptr[at] != '=')
                return -EINVAL;
        int r = mask_of(ash_slice(text.ptr, at), &mask);
        while (r >= 0 && at < text.len) {
                char operator = text.ptr[at++];
                unsigned flags = 0;
                for (; at < text.len && !strchr("=+-", text.ptr[at]); at++) {
                        const char *place = strchr("epi", text.ptr[at]);
                        if (!place)
                                return -EINVAL;
                        flags |= 1U << (place - "epi");
                }
                apply(s, mask, operator, flags);
        }
        return r;
}

int ash_compose_caps(AshSlice text, uint8_t ret[static 20]) {
        Sets s = {};
        AshSlice word;
        bool any = false;
        while (ash_slice_next_word(&text, &word)) {
                int r = clause(word, &s);
                if (r < 0)
                        return r;
                any = true;
        }
        if (!any)
                return -EINVAL;
        uint32_t data[5] = { htole32(REVISION_2 | (s.e ? 1 : 0)), htole32((uint32_t) s.p), htole32((uint32_t) s.i), htole32((uint32_t) (s.p >> 32)), htole32((uint32_t) (s.i >> 32)) };
        memcpy(ret, data, sizeof data);
        return 0;
}
