// From what was overheard to what the adaptor may do: the judgement over one endpoint.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "control/overheard.hpp"
#include "control/script.hpp"

namespace vestibule {

// Everything the stack said in one rehearsal, findable by who was asked on behalf of whom.
class transcript {
public:
    void add(const std::vector<utterance>& heard);
    // Null: silence.
    [[nodiscard]] const utterance* reply_to(const cue& c, u16 our_port) const;

private:
    using key = std::tuple<std::array<be32, 4>, std::array<be32, 4>, be16, u16>; // local, peer, local port, our port
    std::map<key, utterance> said_;
};

// All that a judgement is made from. `nat`: the namespace has NAT rules, so the handoff must run untracked. `ecn`: the
// kernel lets a connection that is handed over use ECN (cookie_ecn_ok; where a route alone says so, this is not known).
struct evidence {
    const transcript& said;
    const disguise& ours;
    const link_table& links;
    bool nat;
    bool markable; // the rule stands that makes it so
    bool ecn;
};

// From every source's SYN with all options. Served: as far as that tells. `cues` are all of one endpoint, at least one;
// the first is its spokesman, who alone asks about further classes of offer.
answer judge_attempts(const evidence& e, const std::vector<cue>& cues);

// After those that the first judgement found served were asked everything else.
answer judge(const evidence& e, const std::vector<cue>& cues);

} // namespace vestibule
