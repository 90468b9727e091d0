#include "control/packet_filter.hpp"

#include <nlohmann/json.hpp>

#include "control/failure.hpp"
#include "control/legacy_tables.hpp"

namespace vestibule {

namespace {

bool is_nat_chain(const nlohmann::json& item) {
    return item.contains("chain") && item["chain"].value("type", "") == "nat";
}

} // namespace

packet_filter::packet_filter(std::string table, u32 mark)
    : nft_(nft_ctx_new(NFT_CTX_DEFAULT)), table_(std::move(table)), mark_(mark) {
    if (nft_ == nullptr)
        fail("cannot talk to nftables");
    nft_ctx_buffer_output(nft_.get());
    nft_ctx_buffer_error(nft_.get());
    nft_ctx_output_set_flags(nft_.get(), NFT_CTX_OUTPUT_JSON);
}

packet_filter::~packet_filter() {
    withdraw();
}

bool packet_filter::run(const std::string& command) const {
    return nft_run_cmd_from_buffer(nft_.get(), command.c_str()) == 0;
}

// On the way it notes whether our rule still stands: who flushes the ruleset takes it along.
bool packet_filter::has_nat() {
    placed_ = false;
    const bool legacy = has_legacy_nat();
    if (!run("list chains"))
        return legacy; // no nftables in this kernel
    const auto chains = nlohmann::json::parse(nft_ctx_get_output_buffer(nft_.get()), nullptr, false);
    if (chains.is_discarded() || !chains.contains("nftables"))
        return legacy;
    bool nat = legacy;
    for (const auto& item : chains["nftables"]) {
        nat = nat || is_nat_chain(item);
        placed_ = placed_ || (item.contains("chain") && item["chain"].value("table", "") == table_);
    }
    return nat;
}

bool packet_filter::let_marked_pass_untracked() {
    if (placed_ && ours_)
        return true;
    constexpr auto rule = R"(
        add table inet {0}
        delete table inet {0}
        table inet {0} {{
            chain prerouting {{
                type filter hook prerouting priority raw
                meta mark {1} notrack meta mark set 0
            }}
        }}
    )";
    placed_ = ours_ = run(fmt::format(rule, table_, mark_));
    return placed_;
}

void packet_filter::withdraw() {
    if (placed_)
        placed_ = !run("delete table inet " + table_);
}

} // namespace vestibule
