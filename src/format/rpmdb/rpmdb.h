/* An rpm database in rpm's sqlite format (rpm.org: "RPM database"; schema and header form as rpm 4.16 and later write them). */
#pragma once
#include "rpm-read.h"

enum { ASH_RPMSTATE_NORMAL = 0, ASH_RPMSTATE_REPLACED = 1, ASH_RPMSTATE_NOTINSTALLED = 2 }; /* of a file (rpmfileState) */
typedef struct AshRpmDbPackage {
        AshSlice header, signature;  /* blobs of the package's two headers; borrowed */
        const uint8_t *states;       /* one for each file of the header, in its order */
        uint32_t n_states;
        uint32_t time;               /* of the installation and of its transaction, Unix seconds */
        uint32_t color;              /* of the transaction: bits of the ELF classes that the system takes */
} AshRpmDbPackage;

/* The header as the database stores it: what is immutable, then what the installation adds. */
int ash_rpmdb_blob(const AshRpmDbPackage *p, AshStr *out, AshDiags *diags);
/* The bytes of rpmdb.sqlite with these packages, numbered from 1 in this order. The same packages give the same bytes. */
int ash_rpmdb_write(const AshRpmDbPackage *packages, size_t n, AshStr *out, AshDiags *diags);

/* ---- what dnf knows about the installed packages ---- */
typedef struct AshDnfPackage {
        AshSlice name, version, release, arch;
        uint32_t epoch;
        uint32_t number;             /* in the rpm database */
        bool user;                   /* asked for; else a dependency, which "dnf autoremove" may remove */
} AshDnfPackage;
typedef struct AshDnfTransaction {
        int64_t time;
        AshSlice release, command, repository;
} AshDnfTransaction;
/* The bytes of /var/lib/dnf/history.sqlite, as if one transaction had installed all. */
int ash_dnfdb_write(const AshDnfPackage *packages, size_t n, const AshDnfTransaction *transaction, AshStr *out, AshDiags *diags);
/* The same of dnf 5: /usr/lib/sysimage/libdnf5/transaction_history.sqlite. It keeps reasons elsewhere, in packages.toml. */
int ash_dnf5db_write(const AshDnfPackage *packages, size_t n, const AshDnfTransaction *transaction, AshStr *out, AshDiags *diags);
/* What rpm calls the cookie of its database (rpmdbCookie), in hexadecimal digits: dnf compares it to see whether somebody else changed the database. */
void ash_dnf_cookie(const AshDnfPackage *packages, size_t n, char ret[static 65]);
