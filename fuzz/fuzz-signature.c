/* Heads of OpenPGP signature packets. */
#include "sign-packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AshSigPacket packet;
        if (ash_sig_packet_read(ash_slice((const char *) data, size), &packet) >= 0 && (packet.length > size || packet.length < 3))
                abort();
        return 0;
}
