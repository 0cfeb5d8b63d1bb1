/* The head of an OpenPGP signature packet (RFC 4880, sections 4.2 and 5.2): who made it, when, with what. */
#pragma once
#include "base.h"

typedef struct AshSigPacket {
        uint8_t version, key_algorithm, hash_algorithm;
        uint32_t created;      /* Unix seconds; 0: not said */
        uint8_t key_id[8];
        bool has_key_id;
        size_t length;         /* bytes of the packet, header included */
} AshSigPacket;

/* The first packet of binary data; -ASH_ERR_SYNTAX when it is no signature packet of version 3 or 4. */
int ash_sig_packet_read(AshSlice data, AshSigPacket *ret);
const char *ash_sig_hash_name(uint8_t algorithm); /* "sha256"; "" when unknown */
const char *ash_sig_key_name(uint8_t algorithm);  /* "rsa" */
