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
    std::optional<source> asking; // the peer whose SYN made us ask
    int tries = 20;               // how often it may be put again, when nobody is known to ask on behalf of
};

struct finding {
    endpoint where;
    answer result; // without its times
};

class rehearsal {
public:
    rehearsal(const programs& loaded, netlink& route, u32 token);

    // Asks for all of them, blocking for some tens of milliseconds; nothing leaves the machine, nothing stays behind.
    // `nat` and `markable` as in evidence. Whoever calls sees to it that rest() is called some 100 ms later.
    std::vector<finding> perform(std::span<const question> questions, bool nat, bool markable);

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
    eavesdropper ears_;
};

} // namespace vestibule
