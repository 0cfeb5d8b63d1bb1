/* What the verbs about images share. */
#pragma once
#include "cli-flow.h"
#include "flow-image.h"
#include "machine.h"

char *ash_image_dir(AshCli *cli);       /* where all images are; malloc'ed */
AshFlowImageOptions ash_image_options(AshCli *cli, const char *lock_path, const char *dir); /* of the command's arguments; borrows */

/* The verbs, each in the file of its name (size with explain). */
int ash_image_plan(AshCli *cli);
int ash_image_boot(AshCli *cli);
int ash_image_test(AshCli *cli);
int ash_image_dump(AshCli *cli);
int ash_image_write(AshCli *cli);
int ash_image_diff(AshCli *cli);
int ash_image_explain(AshCli *cli);
int ash_image_size(AshCli *cli);

#define ASH_MACHINE_OPTIONS                                                                                                                     \
        { "arch", .value = "ARCH", .doc = "architecture (default: the image's first)" },                                                        \
        { "format", .value = "raw|vhd|vhd-dynamic|vhdx|qcow2|vmdk", .doc = "which output to boot (default: the first that is built, raw before others)" }, \
        { "accel", .value = "auto|kvm|tcg", .doc = "KVM, or emulation (default: KVM where it really works)" },                                  \
        { "bus", .value = "virtio|nvme|scsi", .doc = "how the disk is attached (default: virtio)" },                                            \
        { "memory", .value = "MIB", .doc = "memory of the machine (default: 1024)", .kind = ASH_KIND_NUMBER },                                  \
        { "cpus", .value = "N", .doc = "its processors (default: 2)", .kind = ASH_KIND_NUMBER },                                                \
        { "disk-size", .value = "GIB", .doc = "size of the disk that the machine sees (default: as built)", .kind = ASH_KIND_NUMBER },          \
        { "seed", .value = "FILE", .doc = "cloud-init user-data for the machine, as a NoCloud volume", .kind = ASH_KIND_FILE }

#define ASH_SEED_USER "ashlar"

/* A disk that was built, and how it is booted. */
typedef struct AshImageDisk {
        const AshImage *image;          /* NULL: a file that is no image of the project */
        char *path, *arch;
        const char *format;
} AshImageDisk;
void ash_image_disk_done(AshImageDisk *d);
/* NAME is an image of the project, or a path with a slash in it. Says how to build what is not there. */
int ash_image_find_disk(AshCli *cli, const char *name, AshImageDisk *ret);
int ash_image_room(AshCli *cli, AshTempDir **ret);
/* room is where files for the machine go; ret borrows from it and from the disk. key: a user with a new ssh key is wanted where --seed says nothing else; *ret_key is its path in the room. */
int ash_image_machine_options(AshCli *cli, const AshImageDisk *disk, AshArena *arena, AshTempDir *room, bool key, const char **ret_key, AshMachineOptions *ret);

/* image plan, for an image whose definition is KIWI's. */
int ash_image_plan_kiwi(AshCli *cli, const AshImage *image, AshSlice arch);

/* An image for one architecture as a tree, and what it came from: composed, or read from a dump. */
typedef struct AshImageTree {
        AshLock *lock;
        AshFlowTree *flow_tree;
        AshTree *parsed;             /* of a dump instead */
        AshBytes text;
        AshSource *source;
        const AshTree *tree;
} AshImageTree;
void ash_image_tree_done(AshImageTree *c);
int ash_image_compose(AshCli *cli, const char *name, AshImageTree *ret);
AshSlice ash_image_chosen_arch(AshCli *cli, const AshImage *image); /* --arch, else the image's first */
bool ash_image_is_kiwi(const AshImage *image);

/* What a dump refers to in the store. */
typedef struct AshImageDump {
        AshStore *store;
        ASH_ARRAY(AshPack *) packs;
        bool names_only;             /* the bytes are not needed: a comparison */
} AshImageDump;
void ash_image_dump_done(AshImageDump *o);
/* opened outlives ret. */
int ash_image_parse_dump(AshCli *cli, const char *path, AshImageDump *opened, AshImageTree *ret);
int ash_image_or_dump(AshCli *cli, const char *arg, AshImageDump *opened, AshImageTree *ret); /* an image of the project, or a dump in a file */

const AshTreeNode *ash_image_body(const AshTree *t, AshNode n); /* the node that has the content: of a hard link the first name */
