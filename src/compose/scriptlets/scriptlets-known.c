/* Bodies that are known, by their digests. "scripts/scriptlet-digests" makes the rows: it has the decisions, and takes the bodies from the corpus; a test compares. */
#include "scriptlets-private.h"

const AshKnownHook ash_known_hooks[] = {
        { "25d917dcc887b2dc835496ed490b817cfbf593b04cf56e5e485de2afde80fc3c", "audit,presets", "presets and augenrules" }, /* audit-rules %post */
        { "6b883163128b9b0b2ba122f5b8b2fe67b5aba280dd782211a549fba57f1ce255", "audit,presets", "presets and augenrules" }, /* audit-rules %post */
        { "51d704fbafd54b5d5aa47f1525c6336f2925be8bad789cac5634294587fd71fa", "authselect", "the default profile" }, /* authselect-libs %posttrans */
        { "bf6e59d9fb8e32d4e8f4127d909d3e963b9bca3a328c49cce137d9b2dffadaf5", "authselect", "the default profile" }, /* authselect-libs %posttrans */
        { "f1b29780323ce62a988d403b9ba67307b3014cfafafacf1a50f0c9f2a46b2d8a", "presets", "presets; the rest starts the service of a running system" }, /* audit %post */
        { "af75a6c328b56e50ddeb0bd6417af99e1686f5cf39d4539f8d15e38c33025a8a", "shells", "/etc/shells" }, /* bash %post */
        { "ae3842b4f5dc33ae76345421d913a8559acb92275b66dea7722506094b7439a5", NULL, "only when an older version is replaced" }, /* ca-certificates %pre */
        { "678fed56324d20b0dd1ed3a6dd8f1002d80c85d42822b43e0c67e4b529deb324", NULL, "acts on a link that an older version left" }, /* cloud-init %posttrans */
        { "16a8a136d42e716b7ab71b1da26345c7b28ad5c2df7c7b3bfd45fa5f50cc8e45", NULL, "speaks to services of a running system" }, /* cronie %triggerin */
        { "12619b8819a28501d3f5608bec2e73f6408110413555f9cb3ac8cb7fa282ed16", NULL, "changes the configuration of an older version" }, /* crypto-policies %pretrans */
        { "e27670c2920733f7387947b039e8c67a97d0894701f2c147a5b98e8be605836d", "crypto-policies", "the stock policy" }, /* crypto-policies %post */
        { "3060ed36cdf8e635ad7418c92a769a5ded29c720e2f729c5670869d26361f996", NULL, "removes files of an older version" }, /* crypto-policies %pre */
        { "b6a17e0ee2ad0bfb620d767d32c03662289e3c9b478e310197a50f95daf6e449", NULL, "sets a running kernel" }, /* elfutils-default-yama-scope %post */
        { "0400fe4123bf1df239ee2aeb59d0dc4407be2c916a6915a6347db3bbb835dfd1", NULL, "checks the running kernel and removes libraries of an older version" }, /* glibc %pre */
        { "240aa6014cd6afbbc73828c737bfe6bf8203e8b481ce601863efc301c8cabe70", NULL, "checks the running kernel and removes libraries of an older version" }, /* glibc %pre */
        { "e2c0c04eab5095f3513cf2837d11531282f36aee91d5b119deac8d8e0a95c613", NULL, "removes files of an older version" }, /* groff-base %pre */
        { "c7d24593cfe8988e4c0a34d8a788a7a2761c47669c0460071b7aa2d1535e1036", NULL, "removes files of an older version" }, /* groff-base %pre */
        { "d67aeac9761d3a7b0ae8dd2f4c421bf6efb20b50bba87750f369183b19aaeae0", NULL, "removes files of an older version" }, /* groff-base %pre */
        { "28bdeaddb2dc90fa079a219358bd1b035ef5cfbb8980991904374b194a060212", NULL, "ends where no EFI system partition is mounted" }, /* grub2-common %posttrans */
        { "bede6b474e8646a71dff5a588e4d63872f806f5f86da15459b93aad9f3a689fb", NULL, "ends where no EFI system partition is mounted" }, /* grub2-common %posttrans */
        { "30327d18c28ccebf5ee4719ad2ad68fd5a0f29fb0da24c34090f8d966a084246", NULL, "ends where no EFI system partition is mounted" }, /* grub2-common %posttrans */
        { "534243a59176150bf0fe5659f1d4ca4b0858a30e964122ad93349a0a995ce252", NULL, "ends where no EFI system partition is mounted" }, /* grub2-common %posttrans */
        { "fb760e19a533cccc39b459a43064b6ae16415e17c48bd6999e7f654a5b0a439d", NULL, "only when an older version is replaced" }, /* grubby %post */
        { "eb45a118bd857a002057ab7285417fc43c25866104214ef9e923df2c4877c25b", "presets", "the preset of one unit" }, /* hostname %post */
        { "27265b34f9cb16a6caf005ee2671da3abc9b2fd7c4087831c8edd118f7b34e20", NULL, "only when an older version is replaced" }, /* hypervkvpd %post */
        { "ccfb33f017f601268a8831bde4823fc5084782d50a1ac1b3fe390e61d8611f1b", NULL, "only when an older version is replaced" }, /* hypervvssd %post */
        { "9717e7ee4250fca91da5768eca442f3193961b5172cc991edc72040c0a827ade", NULL, "moves the state of an older version" }, /* logrotate %pre */
        { "169ac30e0bb8c91bd4e4ab62c19151244f58a3f79aa3d4741ccee83a179e8c3b", NULL, "removes files of an older version" }, /* man-db %pre */
        { "d13d2d305ca322fb63c6655cf38553a6bf404fcbb9b4ba9e19b752878b67ceb0", NULL, "removes files of an older version" }, /* man-db %pre */
        { "3196420692a1d16d4b41e38c6d6b54d2802ce100a9dc2ca77505640d9fb74410", NULL, "removes files of an older version" }, /* man-db %pre */
        { "16bbe564962e234eb9d84069595fbb778d331d7535ebe20122efb7b00227aec3", NULL, "speaks to services of a running system" }, /* man-db %transfiletriggerin */
        { "69ca684b36fe09b19b7f1bfafbe5b045501c771b8a88e1fdd1d9ae7f911f68ff", "presets", "presets; the rest only when an older version is replaced or an installer left its choice" }, /* openssh-server %post */
        { "e839d8a5e330f9a842106e61aade79c6ef7e366fd580b83d40761d98d704f27c", "presets", "presets; the rest speaks to a running udev" }, /* rdma-core %post */
        { "8d1859efc39b3ce53f9e8fcde986d5410e8a08cedbe598794b84a4c37788283a", NULL, "only where SELinux is on" }, /* selinux-policy %triggerin */
        { "f335dff2e6174cbcc7101e0382789038fe7f1087a2c4cd1bcc8f5f8ef562272e", NULL, "removes files of an older version; the programs that it would run come later" }, /* setup %post */
        { "10ac0df01ef6023a8618c3cdfdbeafdc7d85ca73e157cc9f380ef6fc007a7ed4", NULL, "the time of a directory" }, /* shared-mime-info %post */
        { "34f0b885665adc6e2a7e1da53caea8509543fd36cb4c28076db9c2e896eed612", NULL, "only when an older version is replaced" }, /* systemd %posttrans */
        { "146ae1acb1a823c80e23a9736a8bb956316bebbe5ceb52a013f22223094a53e4", "presets", "presets; the rest only when an older version is replaced" }, /* systemd-networkd %post */
        { "4421687977c1593488dc628663a56611f1aa293b0a1e6333eb6b81dadbffe32d", "hwdb,presets", "hwdb and presets; the rest moves state of an older version, and a seed is never part of an image" }, /* systemd-udev %post */
        { "3bb435345dbdd2164eedf08fa425d80c3b746b57a4f4b0e567267d13bd62dff1", NULL, "moves a directory of an older version" }, /* xkeyboard-config %pretrans */
        {},
};
