// Rehearsal: for each endpoint, what the host's own stack answers to peers as they may come, found by asking it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "control/eavesdropper.hpp"
#include "control/programs.hpp"
#include "control/script.hpp"
#include "control/verdict.hpp"

namespace vestibule {

struct question {
    endpoint where;
    std::optional<source> asking; // the peer whose SYN made us ask: heard where nobody else can be
    bool brought_by_peer = false; // a peer's SYN alone: not among the listeners that we find ourselves
    int tries = 20;               // how often it may be put again, when nobody is known to ask on behalf of
};

struct finding {
    endpoint where;
    answer result; // without its times
    bool silence;  // something was not answered that decided it: the stack kept silent, or a frame was lost
};

class rehearsal {
public:
    rehearsal(const programs& loaded, netlink& route, u32 token);

    // Asks for all of them, blocking for some tens of milliseconds; nothing leaves the machine, nothing stays behind.
    // `nat` and `markable` as in evidence. Whoever calls sees to it that rest() is called some 100 ms later.
    std::vector<finding> perform(std::span<const question> questions, bool nat, bool markable);

    // The next are asked on behalf of other strangers, so that a filter by origin shows itself sooner or later.
    void meet_others() { strangers_ = draw_strangers(); }

    // Takes the egress hook away.
    void rest() { ears_.rest(); }

private:
    struct part; // one endpoint and what is asked for it
    struct performance;

    static std::vector<part> cast(std::span<const question> questions, source_finder& finder);
    static std::vector<cue> attempts(const std::vector<part>& parts);
    bool attend(std::vector<part>& parts, const link_table& links);
    void play(u32 ifindex, std::span<const rehearsal_frame> frames);
    template <class Write>
    void act(performance& p, Write write);
    void offer_from(performance& p, bool strangers);
    void ask_the_rest(performance& p);
    [[nodiscard]] disguise next_disguise();

    const programs& programs_;
    netlink& route_;
    netlink diagnosis_;
    disguise ours_;
    std::vector<address> strangers_ = draw_strangers();
    eavesdropper ears_;
};

} // namespace vestibule
