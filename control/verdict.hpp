// From what was overheard to what the adaptor may do: the judgement over one endpoint.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "control/overheard.hpp"
#include "control/script.hpp"

namespace vestibule {

// Everything the stack said, findable by who was asked on behalf of whom.
class transcript {
public:
    explicit transcript(const std::vector<utterance>& heard);
    // Null: silence.
    [[nodiscard]] const utterance* reply_to(const cue& c, u16 our_port) const;
    // Whether any packet filter answered for that source with an ICMP error is not told apart from silence.

private:
    using key = std::tuple<std::array<be32, 4>, std::array<be32, 4>, be16, u16>; // local, peer, local port, our port
    std::map<key, utterance> said_;
};

// `cues` are all of one endpoint, at least one. `nat` as in rehearsal::perform.
answer judge(const transcript& t, const std::vector<cue>& cues, bool nat, const link_table& links);

} // namespace vestibule
