// The host's packet filter, as far as the handoff must know it: whether NAT rules are present, and one rule of ours.
#pragma once

#include <memory>
#include <string>

#include <nftables/libnftables.h>

#include "abi/scalar.hpp"

namespace vestibule {

// Where a namespace has NAT rules, the stack resets a handed-over segment that conntrack has looked at
// (nf_nat_ipv4_local_in). So such segments go untracked: the handoff marks them, our one rule says notrack for the mark.
class packet_filter {
public:
    packet_filter(std::string table, u32 mark);
    ~packet_filter(); // removes the rule

    packet_filter(const packet_filter&) = delete;
    packet_filter& operator=(const packet_filter&) = delete;

    // Looks anew.
    [[nodiscard]] bool has_nat();
    bool let_marked_pass_untracked(); // whether the rule stands now
    void withdraw();

private:
    [[nodiscard]] bool run(const std::string& command) const;

    struct freer {
        void operator()(nft_ctx* c) const { nft_ctx_free(c); }
    };
    std::unique_ptr<nft_ctx, freer> nft_;
    std::string table_;
    u32 mark_;
    bool placed_ = false;
    bool ours_ = false; // with our mark: one that stood there before us may look for another
};

} // namespace vestibule
