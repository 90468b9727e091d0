// What an earlier run of the same instance left at work when it was killed: programs at their interfaces, under pinned
// links, and the maps they read. Who takes their place must know what they promised, from the first segment on: else the
// stack would reset the handshakes under way.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "abi/keys.hpp"
#include "abi/settings.hpp"
#include "control/bpf_object.hpp"

namespace vestibule {

// Names without dots, which the BPF file system refuses and interfaces may have.
std::filesystem::path pin_of(const std::filesystem::path& pins, const char* role, u32 ifindex);

// The interfaces that something is pinned for, in that role.
std::vector<u32> pinned_for(const std::filesystem::path& pins, const std::string& role);

// A link left pinned there, if its program still stands at that interface.
descriptor pinned_link(const std::filesystem::path& pin, u32 ifindex);

class predecessor {
public:
    predecessor(const std::filesystem::path& pins, const std::vector<std::string>& interfaces);

    // Copies the answers that its adaptor performs at those interfaces. What it leaves to the stack is asked about
    // afresh.
    void hand_on_answers(int to) const;
    // Those at work at any of its interfaces, also one that is not served any more.
    [[nodiscard]] std::optional<settings> its_settings() const;
    [[nodiscard]] std::optional<key_ring> its_keys() const;

private:
    struct place {
        u32 ifindex;
        bool served_on;
        std::vector<descriptor> maps; // of the program there
    };
    void look_at(const std::filesystem::path& pins, u32 ifindex, bool served_on);
    template <class Value>
    [[nodiscard]] std::optional<Value> first(const char* map) const;

    std::vector<place> places_;
};

} // namespace vestibule
