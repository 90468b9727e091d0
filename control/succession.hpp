// What a new answer on file keeps of the one before it: handshakes under way were promised the window scales of that.
#pragma once

#include "engine/completion.hpp"

namespace vestibule {

inline promise succeed(promise found, const promise& before, bool changed, bool former_holds) {
    const u8 unchanged = former_holds ? before.former_shift : found.shift;
    found.former_shift = changed ? before.shift : unchanged;
    return found;
}

// An answer that is not served promises nothing, but may stand between two that do.
inline answer succeed(answer found, const answer& before, u64 now_ms) {
    const auto changed = [&](promise answer::* of) {
        return before.state == service::served && (found.*of).shift != (before.*of).shift;
    };
    const bool with = changed(&answer::with_timestamps);
    const bool without = changed(&answer::without_timestamps);
    const bool former_holds = now_ms <= before.former_until_ms;
    found.with_timestamps = succeed(found.with_timestamps, before.with_timestamps, with, former_holds);
    found.without_timestamps = succeed(found.without_timestamps, before.without_timestamps, without, former_holds);
    found.former_until_ms = with || without ? now_ms + completions::longest_handshake_ms : before.former_until_ms;
    return found;
}

} // namespace vestibule
