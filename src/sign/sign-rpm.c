/* Is a package whole, and who signed it: its digests, then every signature that it carries. */
#include "sign-verify.h"

void ash_rpm_sig_report_done(AshRpmSigReport *r) {
        ash_array_done(&r->results);
        ash_array_done(&r->tags);
}

/* accepted: the package is good by another signature, an unknown key is only worth a warning. */
static void complain(const AshRpm *rpm, const AshSigResult *res, bool accepted, AshDiags *diags) {
        const char *id = res->key_id[0] ? res->key_id : "(none named)";
        switch (res->status) {
        case ASH_SIG_GOOD:
                return;
        case ASH_SIG_UNKNOWN_KEY:
                if (accepted)
                        ash_warn(diags, ASH_NOWHERE, "%s: also signed by key %s, which is not in the keyring", rpm->name, id);
                else
                        ash_fail_file(diags, -ENOKEY, rpm->name, "signed by key %s, which is not in the keyring", id);
                return;
        case ASH_SIG_WEAK:
                ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "signature by key %s uses %s, which is too weak", id, res->hash);
                break;
        case ASH_SIG_EXPIRED_KEY:
        case ASH_SIG_REVOKED_KEY:
                ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "signed by key %s, which %s", id, res->status == ASH_SIG_REVOKED_KEY ? "was revoked" : "has expired");
                break;
        default:
                ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "%s by key %s", ash_sig_status_name(res->status), id);
        }
        if (res->user_id[0])
                ash_note(diags, ASH_NOWHERE, "the key belongs to %s (%s)", res->user_id, res->fingerprint);
}

/* A signed header vouches for the payload through the digests in it; the header alone does not when it has none. */
static bool header_covers_payload(const AshRpmDigests *d) {
        return d->payload == ASH_RPM_GOOD || d->payload_sha512 == ASH_RPM_GOOD || d->payload_sha3 == ASH_RPM_GOOD || d->payload_alt == ASH_RPM_GOOD;
}

static int conclude(const AshRpm *rpm, const AshRpmSigReport *report, const AshRpmDigests *digests, AshDiags *diags) {
        bool bad = false, unknown = false;
        for (size_t i = 0; i < report->results.n; i++) {
                AshSigStatus status = report->results.items[i].status;
                unknown |= status == ASH_SIG_UNKNOWN_KEY;
                bad |= status != ASH_SIG_GOOD && status != ASH_SIG_UNKNOWN_KEY;
        }
        if (bad)
                return -ASH_ERR_VERIFY;
        if (report->payload_signed)
                return 0;
        if (report->header_signed)
                return header_covers_payload(digests) ? 0
                                                      : ash_fail_file(diags, -ASH_ERR_VERIFY, rpm->name, "only the header is signed, and it does not vouch for the payload");
        return unknown ? -ENOKEY : ash_fail_file(diags, -ENODATA, rpm->name, "the package is not signed");
}

int ash_rpm_verify(AshKeyring *k, const AshRpm *rpm, const AshVerifyOptions *options, AshRpmSigReport *ret, AshDiags *diags) {
        _cleanup_(ash_arena_free_p) AshArena *arena = ash_arena_new();
        AshRpmSignatures sigs = {};
        AshRpmDigests digests;

        *ret = (AshRpmSigReport){};
        int digests_r = ash_rpm_verify_digests(rpm, &digests, diags);
        int r = ash_rpm_signatures(rpm, arena, &sigs, diags);
        for (size_t i = 0; i < sigs.items.n && r >= 0; i++) {
                const AshRpmSignature *s = &sigs.items.items[i];
                AshSigResult *res = ash_array_add(&ret->results);
                *ash_array_add(&ret->tags) = s->tag;
                r = ash_verify_detached(k, s->packet, s->covers, s->n_covers, options, res, diags);
                ret->header_signed |= r >= 0 && res->status == ASH_SIG_GOOD && s->n_covers == 1;
                ret->payload_signed |= r >= 0 && res->status == ASH_SIG_GOOD && s->n_covers == 2;
        }
        ash_array_done(&sigs.items);
        if (r < 0)
                return r;
        r = conclude(rpm, ret, &digests, diags);
        for (size_t i = 0; i < ret->results.n; i++)
                complain(rpm, &ret->results.items[i], r == 0, diags);
        return digests_r < 0 ? digests_r : r;
}
