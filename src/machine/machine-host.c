#include <arpa/inet.h>
#include <linux/kvm.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include "machine-private.h"

/* ---- KVM ---- */
#if defined(__x86_64__)
/* fwait, fninit, hlt: what firmware does early. A KVM that has no hardware behind it must emulate, and not each one can do these. */
static const uint8_t guest_code[] = { 0x9b, 0xdb, 0xe3, 0xf4 };
enum { GUEST_SIZE = 64 << 10, GUEST_START = 4096 };

static int guest_run(int kvm, int vm, int cpu, void *memory) {
        struct kvm_userspace_memory_region region = { .memory_size = GUEST_SIZE, .userspace_addr = (uintptr_t) memory };
        struct kvm_sregs special;
        struct kvm_regs regs = { .rip = GUEST_START, .rflags = 2 };
        memcpy((char *) memory + GUEST_START, guest_code, sizeof guest_code);
        int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
        if (size <= 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 || ioctl(cpu, KVM_GET_SREGS, &special) < 0)
                return -EIO;
        special.cs.base = 0;
        special.cs.selector = 0;
        if (ioctl(cpu, KVM_SET_SREGS, &special) < 0 || ioctl(cpu, KVM_SET_REGS, &regs) < 0)
                return -EIO;
        struct kvm_run *run = mmap(NULL, (size_t) size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
        if (run == MAP_FAILED)
                return -errno;
        int r = ioctl(cpu, KVM_RUN, 0) < 0 ? -EIO : run->exit_reason == KVM_EXIT_HLT ? 0 : -EIO;
        munmap(run, (size_t) size);
        return r;
}

bool ash_kvm_works(const char **ret_why_not) {
        _close_ int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
        *ret_why_not = kvm >= 0 ? "it makes no virtual machines" : errno == ENOENT ? "there is no /dev/kvm" : errno == EACCES ? "/dev/kvm is not for this user (group kvm)" : "/dev/kvm cannot be opened";
        if (kvm < 0 || ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
                return false;
        _close_ int vm = ioctl(kvm, KVM_CREATE_VM, 0);
        _close_ int cpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
        if (cpu < 0)
                return false;
        *ret_why_not = "its virtual processor does not run";
        void *memory = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return false;
        int r = guest_run(kvm, vm, cpu, memory);
        munmap(memory, GUEST_SIZE);
        return r >= 0;
}
#else
bool ash_kvm_works(const char **ret_why_not) {
        *ret_why_not = "there is no /dev/kvm";
        return access("/dev/kvm", R_OK | W_OK) == 0;
}
#endif

/* ---- firmware ---- */
static const AshMachineArch arches[] = {
        { "x86_64", "qemu-system-x86_64", "qemu-system-x86", "q35,sata=off,vmport=off", "ttyS0",
          { { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" }, { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
            { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" }, { "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" } }, "ovmf" },
        { "aarch64", "qemu-system-aarch64", "qemu-system-arm", "virt", "ttyAMA0",
          { { "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd" }, { "/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw" } }, "qemu-efi-aarch64" },
};

const AshMachineArch *ash_machine_arch(const char *name) {
        for (size_t i = 0; i < ASH_N(arches); i++)
                if (!strcmp(arches[i].name, name))
                        return &arches[i];
        return NULL;
}

int ash_machine_firmware(const AshMachineArch *arch, const char **ret_code, const char **ret_vars, AshDiags *diags) {
        for (size_t i = 0; i < ASH_N(arch->firmware) && arch->firmware[i].code; i++)
                if (access(arch->firmware[i].code, R_OK) == 0 && access(arch->firmware[i].vars, R_OK) == 0) {
                        *ret_code = arch->firmware[i].code;
                        *ret_vars = arch->firmware[i].vars;
                        return 0;
                }
        int r = ash_fail(diags, -ENOENT, ASH_NOWHERE, "the UEFI firmware for %s machines is not installed (looked for %s and others)", arch->name, arch->firmware[0].code);
        ash_hint(diags, "it is in the Debian package '%s'", arch->firmware_package);
        return r;
}

/* ---- ports ---- */
int ash_machine_port(int wanted, AshDiags *diags) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) wanted), .sin_addr = { htonl(INADDR_LOOPBACK) } };
        _close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return ash_fail(diags, -errno, ASH_NOWHERE, "cannot make a socket: %s", ash_strerror(-errno));
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)); /* as QEMU does: connections that linger do not count */
        if (bind(fd, (struct sockaddr *) &to, sizeof to) == 0)
                return 0;
        int r = -errno;
        if (r == -EADDRINUSE)
                ash_fail(diags, r, ASH_NOWHERE, "port %d of 127.0.0.1 is in use", wanted);
        else
                ash_fail(diags, r, ASH_NOWHERE, "port %d of 127.0.0.1 cannot be used: %s", wanted, ash_strerror(r));
        ash_hint(diags, "with port 0 a free one is taken");
        return r;
}
