// One interface served: the adaptor in its driver, the handoff at its TC ingress.
#pragma once

#include <filesystem>
#include <string>

#include "control/links.hpp"
#include "control/programs.hpp"

namespace vestibule {

enum class xdp_mode : u8 { native, generic };
enum class xdp_wish : u8 { automatic, native, generic };

const char* name_of(xdp_mode mode);

class attachment {
public:
    // Attaches both programs and pins their links below `pins`, so that they outlive the control process. Takes over
    // what an earlier run of the same instance left there. `native_sends`: whether in native mode replies would arrive.
    // Throws failure, with the interface as it was, where that cannot be.
    attachment(const programs& loaded, const link& where, xdp_wish wish, bool native_sends, std::filesystem::path pins);
    ~attachment(); // detaches; before settle(), what an earlier run had there goes on instead
    attachment(attachment&&) noexcept = default;
    attachment& operator=(attachment&&) = delete;
    attachment(const attachment&) = delete;
    attachment& operator=(const attachment&) = delete;

    // The place is this run's for good.
    void settle();

    // From native to generic mode: for a driver that turns out not to send.
    void step_back();

    [[nodiscard]] const std::string& interface() const { return name_; }
    [[nodiscard]] u32 ifindex() const { return ifindex_; }
    [[nodiscard]] xdp_mode mode() const { return mode_; }
    // The numbers of the programs that stand there now; 0: it is gone, with its interface or by another's hand.
    [[nodiscard]] u32 adaptor_program() const { return program_held_by(adaptor_, ifindex_); }
    [[nodiscard]] u32 handoff_program() const { return program_held_by(handoff_, ifindex_); }

private:
    [[nodiscard]] std::filesystem::path pin_path(const char* role) const;
    bool try_adaptor(xdp_mode mode);
    void attach_adaptor(xdp_wish wish, bool native_sends);
    [[nodiscard]] bool keep_adaptor(xdp_wish wish, bool native_sends);
    void drop_adaptor();
    void attach_handoff();
    void leave();
    [[nodiscard]] bool put_back_adaptor();

    const programs* programs_;
    std::string name_;
    u32 ifindex_;
    std::filesystem::path pins_;
    xdp_mode mode_ = xdp_mode::native;
    descriptor adaptor_;
    descriptor handoff_;

    // The programs of an earlier run, until the place is this one's.
    xdp_mode former_mode_ = xdp_mode::native;
    descriptor former_adaptor_;
    descriptor former_handoff_;
};

} // namespace vestibule
